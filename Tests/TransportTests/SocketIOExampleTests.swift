import Foundation
import JSON
import Testing
import Transport

/// The example of docs/protocol.md: this is its code, and a test holds the two together.
@Suite("Socket.IO example", .timeLimit(.minutes(1)))
struct SocketIOExampleTests {
    // begin example
    static func serveBoards(on server: SocketIOServer) throws {
        let boards = try server.namespaces(matching: "/board-*")
        boards.use { handshake throws(ConnectRefusal) in
            guard let name = handshake.auth["name"]?.stringValue else {
                throw ConnectRefusal(message: "Who are you?", data: ["code": "unauthorized"])
            }
            return name
        }
        boards.useEvents { _, event throws(EventRefusal) in
            if event.arguments.count > 3 { throw EventRefusal(message: "too many arguments") }
        }
        boards.onConnect { socket in
            let name = socket.context as? String ?? ""
            try? socket.setData("name", .string(name))
            socket.broadcast.emit("joined", [.string(name)])
            socket.onDisconnecting { _, _ in socket.broadcast.emit("left", [.string(name)]) }
        }
        boards.on("draw") { socket, arguments, acknowledge in
            socket.broadcast.emit("draw", arguments)
            acknowledge?(true)
        }
        boards.on("pointer") { socket, arguments, _ in
            socket.volatile.broadcast.emit("pointer", arguments)
        }
        boards.on("vote") { socket, _, acknowledge in
            Task {
                do throws(IncompleteAnswers) {
                    let votes = try await socket.broadcast.timeout(.seconds(5)).emitWithAck("vote?")
                    acknowledge?(.array(votes))
                } catch {
                    acknowledge?(.array(error.answers), .integer(Int64(error.missing)))
                }
            }
        }
        boards.on("who") { socket, _, acknowledge in
            Task {
                let members = await socket.namespace.fetchSockets()
                acknowledge?(.array(members.compactMap { $0.data["name"] }))
            }
        }
    }
    // end example

    @Test("The example of the documentation does what it says") func example() async throws {
        try await TestServer.quiet(loops: 2) { server in
            do { try Self.serveBoards(on: server) } catch { Issue.record(error) }
        } _: { server in
            let ann = try await server.join("/board-1", #"{"name":"ann"}"#)
            let bob = try await server.join("/board-1", #"{"name":"bob"}"#)
            #expect(try await ann.text() == #"42/board-1,["joined","bob"]"#)
            ann.say(#"42/board-1,1["draw",1,2]"#)
            #expect(try await ann.text() == "43/board-1,1[true]")
            #expect(try await bob.text() == #"42/board-1,["draw",1,2]"#)
            ann.say(#"42/board-1,["pointer",3,4]"#)
            #expect(try await bob.text() == #"42/board-1,["pointer",3,4]"#)
            ann.say(#"42/board-1,2["vote"]"#)
            #expect(try await bob.text() == #"42/board-1,0["vote?"]"#)
            bob.say(#"43/board-1,0["yes"]"#)
            #expect(try await ann.text() == #"43/board-1,2[["yes"]]"#)
            bob.say(#"42/board-1,["draw",1,2,3,4]"#)
            bob.close()
            #expect(try await ann.text() == #"42/board-1,["left","bob"]"#)
            ann.say(#"42/board-1,3["who"]"#)
            #expect(try await ann.text() == #"43/board-1,3[["ann"]]"#)
        }
    }

    @Test("The documentation shows the example as it is") func documentation() throws {
        let file = URL(filePath: #filePath)
        let source = try String(contentsOf: file, encoding: .utf8)
        let root = file.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let document = try String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)
        let begin = try #require(source.range(of: "    // begin example\n"))
        let end = try #require(source.range(of: "    // end example\n"))
        let example = source[begin.upperBound..<end.lowerBound].split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("    ") ? String($0.dropFirst(4)) : String($0) }.joined(separator: "\n")
            .replacingOccurrences(of: "static func", with: "func")
        #expect(document.contains("```swift\n\(example)```"))
    }
}
