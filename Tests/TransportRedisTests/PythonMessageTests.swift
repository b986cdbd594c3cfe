import JSON
import NIOCore
import Testing
import Transport

@testable import TransportRedis

/// What python-socketio 5.18 publishes (socketio.md §3.6).
@Suite("Messages of python-socketio's managers")
struct PythonMessageTests {
    private func read(_ text: String) throws(ClusterRefusal) -> (ClusterCommand, namespace: String)? {
        try PythonMessage.read(ByteBuffer(string: text))
    }

    private func emit(_ arguments: [JSONValue], _ target: BroadcastTarget = BroadcastTarget()) -> ClusterCommand {
        .emit("ev", arguments, target, EmitFlags())
    }

    private func message(_ data: String, room: String = "null", skip: String = "null", binary: Bool = false) -> String {
        #"{"method": "emit", "event": "ev", "data": \#(data), "binary": \#(binary), "namespace": "/n", "room": \#(room), "#
            + #""skip_sid": \#(skip), "callback": null, "host_id": "0123456789abcdef"}"#
    }

    @Test("an event with its arguments, rooms and exceptions") func emits() throws {
        let plain = try #require(try read(message(#"[{"a": 1}]"#)))
        #expect(plain.0 == emit([["a": 1]]) && plain.namespace == "/n")
        #expect(try read(message("[1, null]"))?.0 == emit([1, .null]))
        #expect(try read(message("[null]"))?.0 == emit([]))
        #expect(try read(message(#""text""#))?.0 == emit(["text"]))
        #expect(try read(message("[]", room: #""r""#, skip: #""s""#))?.0 == emit([], BroadcastTarget(rooms: ["r"], except: ["s"])))
        #expect(
            try read(message("[]", room: #"["r", "q"]"#, skip: #"["s"]"#))?.0
                == emit([], BroadcastTarget(rooms: ["r", "q"], except: ["s"])))
    }

    @Test("binary arguments are put in their places") func binary() throws {
        let data = #"[[{"file": {"_placeholder": true, "num": 1}}, {"_placeholder": true, "num": 0}], "AQI=", "/w=="]"#
        #expect(try read(message(data, binary: true))?.0 == emit([["file": .bytes([0xFF])], .bytes([1, 2])]))
        for data in [
            "[]", "1", #"[[{"_placeholder": true, "num": 0}]]"#, #"[[{"_placeholder": true, "num": 0}], "%"]"#, #"[[], 1]"#,
            #"[[{"_placeholder": true, "num": 0}, {"_placeholder": true, "num": 0}], "AQI="]"#,
            "[[]" + String(repeating: #","AQI=""#, count: 11) + "]",
        ] {
            #expect(throws: ClusterRefusal.shape) { try read(message(data, binary: true)) }
        }
    }

    @Test("sockets and rooms") func commands() throws {
        let socket = BroadcastTarget(rooms: ["s"])
        let cases: [(String, ClusterCommand)] = [
            (#"{"method":"disconnect","sid":"s","namespace":"/","host_id":"h"}"#, .disconnect(closingSessions: false, socket)),
            (#"{"method":"enter_room","sid":"s","room":"r","namespace":"/","host_id":"h"}"#, .join(["r"], socket)),
            (#"{"method":"leave_room","sid":"s","room":"r","namespace":"/","host_id":"h"}"#, .leave(["r"], socket)),
            (#"{"method":"close_room","room":"r","namespace":"/","host_id":"h"}"#, .leave(["r"], BroadcastTarget(rooms: ["r"]))),
        ]
        for (text, command) in cases { #expect(try read(text)?.0 == command) }
        #expect(try read(#"{"method":"callback","host_id":"h","sid":"s","namespace":"/","id":1,"args":[]}"#) == nil)
    }

    @Test("attack 18: a pickle is refused before anything of it is read") func pickle() {
        #expect(throws: ClusterRefusal.pickle) { try PythonMessage.read(ByteBuffer(bytes: [0x80, 0x04, 0x95, 0x2E])) }
    }

    @Test(
        "hostile messages",
        arguments: [
            ("", .malformed), ("(dp0\n.", .malformed), ("{", .malformed), ("[]", .shape), ("{}", .shape), (#"{"method":1}"#, .shape),
            (#"{"method":"emit"}"#, .shape), (#"{"method":"emit","event":"connect"}"#, .reservedEvent),
            (#"{"method":"emit","event":"ev","room":{}}"#, .shape), (#"{"method":"disconnect"}"#, .shape),
            (#"{"method":"enter_room","sid":"s"}"#, .shape), (#"{"method":"x"}"#, .unknownType),
            (String(repeating: "[", count: 100_000), .malformed),
        ] as [(String, ClusterRefusal)])
    func hostile(_ text: String, _ refusal: ClusterRefusal) { #expect(throws: refusal) { try read(text) } }
}
