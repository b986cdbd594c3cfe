import JSON
import MessagePack
import NIOCore
import RedisClient
import Testing
import Transport
import TransportWire

@testable import TransportRedis

/// What stands in the stream and under the sockets' keys, as @socket.io/redis-streams-adapter writes and reads it (§3.5). Needs nothing.
@Suite("Stream: the entries and the sockets") struct StreamCodecTests {
    private func entry(_ fields: [String: String], _ id: String = "5-0") -> StreamEntry {
        StreamEntry(id: RecoveryOffset(id, .entry) ?? .start, fields: fields)
    }

    private func read(_ fields: StreamCodec.Fields) throws -> StreamCodec.Message {
        try StreamCodec.message(
            of: entry([
                "uid": "u", "nsp": fields.namespace, "type": fields.type, "data": String(decoding: fields.data, as: UTF8.self),
            ]))
    }

    private static let commands: [ClusterCommand] = [
        .emit("news", [1, "two", ["a": .null]], BroadcastTarget(), EmitFlags()),
        .emit("news", [], BroadcastTarget(rooms: ["a", "b"], except: ["c"]), EmitFlags(isVolatile: true, compresses: false)),
        .emit("binary", [.bytes([0, 255]), ["deep": .bytes([1])]], BroadcastTarget(rooms: ["a"]), EmitFlags()),
        .join(["x"], BroadcastTarget(rooms: ["a"])), .leave(["x", "y"], BroadcastTarget(except: ["a"])),
        .disconnect(closingSessions: true, BroadcastTarget()), .disconnect(closingSessions: false, BroadcastTarget(rooms: ["a"])),
    ]

    @Test("what is written is read again", arguments: commands) func roundTrip(_ command: ClusterCommand) throws {
        #expect(try read(StreamCodec.fields(of: command, namespace: "/chat")) == .command(command, namespace: "/chat"))
    }

    @Test("an event's entry is that of the adapter: JSON, or base64 of MessagePack when there are bytes in it") func shape() throws {
        let plain = StreamCodec.fields(of: Self.commands[0], namespace: "/")
        #expect(plain.type == "3" && plain.namespace == "/")
        #expect(
            try JSONValue(parsing: plain.data) == [
                "opts": ["rooms": [], "except": [], "flags": [:]], "packet": ["type": 2, "data": ["news", 1, "two", ["a": .null]]],
            ])
        let binary = StreamCodec.fields(of: Self.commands[2], namespace: "/")
        #expect(!binary.data.contains(UInt8(ascii: "{")))
        #expect(try StreamCodec.decode(String(decoding: binary.data, as: UTF8.self))["packet"]?["data"]?.arrayValue?.count == 3)
        #expect(StreamCodec.fields(of: Self.commands[3], namespace: "/").type == "4")
        #expect(StreamCodec.fields(of: Self.commands[4], namespace: "/").type == "5")
        #expect(StreamCodec.fields(of: Self.commands[5], namespace: "/").type == "6")
    }

    @Test("entries that its source writes are read: an event of a server, one of the emitter, volatile, with bytes") func foreign() throws {
        let event =
            #"{"packet":{"type":2,"data":["hello","world"],"nsp":"/"},"opts":{"rooms":["r"],"except":["s"],"flags":{"volatile":true}}}"#
        #expect(
            try StreamCodec.message(of: entry(["uid": "0123456789abcdef", "nsp": "/", "type": "3", "data": event]))
                == .command(
                    .emit("hello", ["world"], BroadcastTarget(rooms: ["r"], except: ["s"]), EmitFlags(isVolatile: true)), namespace: "/"))
        let packed: JSONValue = ["packet": ["type": 2, "data": ["b", .bytes([1, 2])]], "opts": ["rooms": [], "except": []]]
        let data = String(decoding: StreamCodec.encode(packed), as: UTF8.self)
        #expect(
            try StreamCodec.message(of: entry(["uid": "emitter", "nsp": "/", "type": "3", "data": data]))
                == .command(.emit("b", [.bytes([1, 2])], BroadcastTarget(), EmitFlags()), namespace: "/"))
        for (type, data) in [("1", nil), ("2", nil), ("7", #"{"requestId":"r"}"#), ("13", nil), ("3", #"{"requestId":"r","packet":{}}"#)] {
            var fields = ["uid": "u", "nsp": "/", "type": type]
            fields["data"] = data
            #expect(try StreamCodec.message(of: entry(fields)) == .other)
        }
    }

    @Test("what is no message is refused, and means nobody") func hostile() {
        let refused: [([String: String], ClusterRefusal)] = [
            ([:], .shape), (["nsp": "/", "type": "x"], .shape), (["nsp": "/", "type": "3"], .malformed),
            (["nsp": "/", "type": "3", "data": "{"], .malformed), (["nsp": "/", "type": "3", "data": "%%%%"], .malformed),
            (["nsp": "/", "type": "3", "data": "{}"], .shape), (["nsp": "/", "type": "6", "data": "{}"], .shape),
            (["nsp": "/", "type": "3", "data": #"{"packet":{"type":2,"data":["connect"]},"opts":{}}"#], .reservedEvent),
            (["nsp": "/", "type": "4", "data": #"{"rooms":["a"],"opts":null}"#], .shape),
            (["nsp": "/", "type": "3", "data": String(repeating: "[", count: 1_000)], .malformed),
        ]
        for (fields, refusal) in refused {
            #expect(throws: refusal) { try StreamCodec.message(of: entry(fields)) }
        }
    }

    @Test("marks are in a namespace that cannot be, of a type that the adapter does not know") func marks() throws {
        for mark: StreamCodec.Mark in [.start, .gap, .lost(BroadcastTarget(rooms: ["a"]), namespace: "/n"), .taken("id")] {
            let fields = StreamCodec.fields(of: mark)
            #expect(fields.type == "0" && !fields.namespace.hasPrefix("/"))
            #expect(try read(fields) == .mark(mark))
        }
        #expect(try StreamCodec.message(of: entry(["nsp": "/", "type": "0", "data": #"{"mark":"gap"}"#])) == .other)
        let mine = ["uid": StreamCodec.writer, "kdc": StreamCodec.signature(7, uid: "me")]
        #expect(StreamCodec.number(of: entry(mine), uid: "me") == 7)
        for other in ["you 7", "me", "me ", "me7", "me -1", "me x", "mee 7", ""] {
            #expect(StreamCodec.number(of: entry(["uid": StreamCodec.writer, "kdc": other]), uid: "me") == nil)
        }
        #expect(StreamCodec.number(of: entry(["uid": "me"]), uid: "me") == nil)
    }

    @Test("Redis' answers are read as far as they are entries") func answers() {
        let good: RedisValue = .array([.text("5-1"), .array([.text("uid"), .text("u"), .text("nsp"), .text("/"), .text("odd")])])
        #expect(StreamEntry.read(.array([.array([.text("socket.io"), .array([good])])])) == [entry(["uid": "u", "nsp": "/"], "5-1")])
        #expect(StreamEntry.read(.null).isEmpty && StreamEntry.list(.array([.null, .text("x"), .array([.text("x"), .null])])).isEmpty)
        #expect(StreamEntry.list(.array([.array([.text("5-1"), .null])])).map(\.fields) == [[:]])
    }

    // MARK: Sockets

    private let pid = SessionID("AAAAAAAAAAAAAAAAAAAA")
    private let id = SessionID("BBBBBBBBBBBBBBBBBBBB")

    @Test("a socket is kept as the adapter keeps it, with what is ours in a member of its own") func sessions() throws {
        let (pid, id) = (try #require(pid), try #require(id))
        let session = RecoverySession(
            id: id, pid: pid,
            rooms: [
                .init(name: String(describing: id), since: RecoveryOffset(millisecond: 0, number: 0)),
                .init(name: "team", since: RecoveryOffset(millisecond: 7, number: 3)),
            ],
            data: JSONObject([("name", "Ada"), ("photo", .bytes([1]))]),
            details: .init(
                namespace: "/chat", identity: "x", start: RecoveryOffset(millisecond: 5, number: 0),
                at: RecoveryOffset(millisecond: 9, number: 1)))
        let text = String(decoding: SessionCodec.encode(session, stream: "socket.io"), as: UTF8.self)
        let fields = try #require(try StreamCodec.decode(text).objectValue)
        #expect(fields["sid"] == "BBBBBBBBBBBBBBBBBBBB" && fields["pid"] == "AAAAAAAAAAAAAAAAAAAA")
        #expect(fields["rooms"] == ["BBBBBBBBBBBBBBBBBBBB", "team"] && fields["data"]?["name"] == "Ada" && fields.count == 5)
        #expect(SessionCodec.decode(text, pid: pid, stream: "socket.io") == session)
        #expect(SessionCodec.decode(text, pid: pid, stream: "other") == nil, "places of another stream mean nothing here")
        #expect(SessionCodec.decode(text, pid: id, stream: "socket.io") == nil)
        #expect(SessionCodec.key(pid) == "sio:session:AAAAAAAAAAAAAAAAAAAA")
    }

    @Test("a socket that a server of Node.js has kept has rooms and data, and stands for nobody") func foreignSessions() throws {
        let (pid, id) = (try #require(pid), try #require(id))
        func kept(_ value: JSONValue) -> String { String(decoding: StreamCodec.encode(value), as: UTF8.self) }
        let mine = JSONValue.string(String(describing: pid))
        let found = SessionCodec.decode(
            kept([
                "sid": .string(String(describing: id)), "pid": mine, "rooms": ["team", .string(String(describing: id))], "data": ["a": 1],
            ]),
            pid: pid, stream: "socket.io")
        #expect(found?.rooms.map(\.name) == [String(describing: id), "team"] && found?.details == nil && found?.data["a"] == 1)
        let bad: [JSONValue] = [
            1, [:], ["pid": mine], ["pid": mine, "sid": "short", "rooms": []], ["pid": mine, "sid": mine, "rooms": [[:]]],
            ["pid": mine, "sid": mine, "rooms": .array(Array(repeating: "r", count: 1_002))],
            ["pid": mine, "sid": mine, "rooms": [.string(String(repeating: "r", count: 256))]],
            ["pid": mine, "sid": mine, "rooms": [mine], "kdcube": [:]],
            [
                "pid": mine, "sid": mine, "rooms": [mine],
                "kdcube": ["stream": "socket.io", "nsp": "/", "start": "1-0", "at": "1-0", "since": []],
            ],
        ]
        for value in bad { #expect(SessionCodec.decode(kept(value), pid: pid, stream: "socket.io") == nil) }
        for text in ["", "x", "====", String(repeating: "A", count: 2 << 20)] {
            #expect(SessionCodec.decode(text, pid: pid, stream: "socket.io") == nil)
        }
    }
}
