import Foundation
import NIOCore
import Synchronization
import Testing
import Transport
import TransportWire

/// Handlers of types: what they get, what they answer, and what becomes of everything else (S2, S7, S8, S18, S19). Needs nothing but
/// loopback.
@Suite("Socket.IO typed events", .timeLimit(.minutes(1)))
struct TypedEventTests {
    struct Message: Codable, Equatable {
        var text: String
        var mentions: [String]?
    }

    struct Receipt: Codable { var id: Int }

    static let say = Event<Message>("say")
    static let move = Event<String, Int, Bool?>("move")

    @Test("S7: a handler gets what was sent, and what it returns is the acknowledgement") func answers() async throws {
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Self.say) { socket, message in
                socket.emit(Event<String, Int>("heard"), message.text, message.mentions?.count ?? 0)
                return Receipt(id: 7)
            }
            main.on(Signal("bare")) { socket in socket.emit(Signal("bare too")) }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"421["say",{"text":"hi","mentions":["ann"]}]"#)
            #expect(try await socket.text() == #"42["heard","hi",1]"#)
            #expect(try await socket.text() == #"431[{"id":7}]"#)
            socket.say(#"42["say",{"text":"nobody asks"}]"#)
            socket.say(#"422["bare"]"#)
            for expected in [#"42["heard","nobody asks",0]"#, #"42["bare too"]"#, "432[]"] { #expect(try await socket.text() == expected) }
        }
    }

    @Test("Several arguments; an optional one may be null or missing at the end, and what follows the last is left alone") func several()
        async throws
    {
        try await TestServer.quiet { server in
            server.namespace("/").on(Self.move) { socket, piece, square, isCheck in
                socket.emit(Self.move, piece, square + 1, isCheck)
                return isCheck
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for (arguments, answer) in [
                (#""rook",3,true"#, #""rook",4,true"#), (#""rook",3,null"#, #""rook",4,null"#), (#""rook",3"#, #""rook",4,null"#),
                (#""rook",3,false,{"more":1},5"#, #""rook",4,false"#),
            ] {
                socket.say(#"421["move",\#(arguments)]"#)
                #expect(try await socket.text() == #"42["move",\#(answer)]"#)
                #expect(try await socket.text().hasPrefix("431["))
            }
        }
    }

    @Test("S8: binary comes as bytes and as Data, at any place, and leaves as attachments") func binary() async throws {
        struct File: Codable {
            var name: String
            var content: Data
        }
        let file = Event<File, [UInt8]>("file")
        try await TestServer.quiet { server in
            server.namespace("/").on(file) { socket, file, hash in
                socket.emit(Event<[UInt8], File>("back"), hash, File(name: file.name, content: file.content + [9]))
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"452-["file",{"name":"x","content":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]"#)
            socket.send(frame: .binary, ByteBuffer(bytes: [1, 2]))
            socket.send(frame: .binary, ByteBuffer(bytes: [255]))
            let expected = #"452-["back",{"_placeholder":true,"num":0},{"name":"x","content":{"_placeholder":true,"num":1}}]"#
            #expect(try await socket.text() == expected)
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [255])))
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [1, 2, 9])))
        }
    }

    @Test(
        "What is not of the event's types is not handled: the client is told the place and the rule, it is counted, and the hook hears of it",
        arguments: [
            ("", "/0", "must be there"), ("null,1", "/0", "must not be null"), ("1,1", "/0", "must be a string"),
            (#""a""#, "/1", "must be there"), (#""a",1.5"#, "/1", "must be a whole number from \(Int.min) to \(Int.max)"),
            (#""a",1,"no""#, "/2", "must be true or false"), (#"{"_placeholder":false},1"#, "/0", "must be a string"),
        ])
    func undecodable(arguments: String, path: String, rule: String) async throws {
        let faults = Shared<String>()
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Self.move) { _, _, _, _ in Issue.record("handled") }
            main.onEventFault { socket, event, fault in
                if case .undecodable(let error) = fault { faults.set("\(socket != nil) \(event) \(error)") }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            let sent = [#""move""#, arguments].filter { !$0.isEmpty }.joined(separator: ",")
            socket.say("42[\(sent)]")
            socket.say("425[\(sent)]")
            let error = #"{"code":"invalid_argument","path":"\#(path)","rule":"\#(rule)"}"#
            #expect(try await socket.text() == #"435[{"ok":false,"error":\#(error)}]"#)
            #expect(faults.value == "true move \(path) \(rule)")
            #expect(try await server.shows(#"kdcube_socketio_event_faults_total{fault="undecodable"} 2"#))
        }
    }

    @Test("A refusal that a handler throws is the answer; of any other error the client learns nothing") func throwing() async throws {
        struct Secret: Error { var password = "hunter2" }
        let faults = Shared<String>()
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Event<Bool>("try")) { _, isRefusal in
                if isRefusal { throw EventRefusal(message: "not today", data: 3) }
                throw Secret()
            }
            main.on(Event<Bool>("wait")) { _, isRefusal async throws -> Int in
                await Task.yield()
                if isRefusal { throw EventRefusal(message: "not today") }
                throw Secret()
            }
            main.onEventFault { _, event, fault in
                if case .failed(let error) = fault { faults.set("\(event) \(error is Secret)") }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for (event, refusal) in [
                ("try", #"{"code":"refused","message":"not today","data":3}"#), ("wait", #"{"code":"refused","message":"not today"}"#),
            ] {
                socket.say(#"421["\#(event)",true]"#)
                #expect(try await socket.text() == #"431[{"ok":false,"error":\#(refusal)}]"#)
                #expect(!server.metric(#"kdcube_socketio_event_faults_total{fault="failed"} \#(event == "try" ? 1 : 2)"#))
                socket.say(#"422["\#(event)",false]"#)
                #expect(try await socket.text() == #"432[{"ok":false,"error":{"code":"internal"}}]"#)
                #expect(await eventually { faults.value == "\(event) true" })
            }
            #expect(try await server.shows(#"kdcube_socketio_event_faults_total{fault="failed"} 2"#))
        }
    }

    @Test("S18: a socket's own handler of a type comes after the namespace's, and the first answer counts") func own() async throws {
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Self.say) { socket, _ in "namespace" }
            main.onConnect { socket in
                socket.on(Self.say) { socket, message in
                    socket.emit(Event<String>("own"), message.text)
                    return "socket"
                }
                socket.on(Event<Int>("only")) { _, number in number * 2 }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"421["say",{"text":"x"}]"#)
            socket.say(#"422["only",21]"#)
            for expected in [#"431["namespace"]"#, #"42["own","x"]"#, "432[42]"] { #expect(try await socket.text() == expected) }
        }
    }

    @Test("S17: children of a dynamic namespace inherit handlers of types, and hear what it sends") func dynamic() async throws {
        try await TestServer.quiet { server in
            do {
                let boards = try server.namespaces(matching: "/board-*")
                boards.on(Self.say) { _, message in boards.emit(Event<String>("said"), message.text) }
            } catch { Issue.record(error) }
        } _: { server in
            let first = try await server.join("/board-1")
            let second = try await server.join("/board-2")
            first.say(#"42/board-1,["say",{"text":"x"}]"#)
            #expect(try await first.text() == #"42/board-1,["said","x"]"#)
            #expect(try await second.text() == #"42/board-2,["said","x"]"#)
        }
    }
}
