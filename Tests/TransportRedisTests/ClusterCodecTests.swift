import JSON
import MessagePack
import NIOCore
import Testing
import Transport

@testable import TransportRedis

/// Bytes built by hand from the descriptions of the formats (socketio.md §3.1, §3.2), both ways.
@Suite("Messages of the adapters of Node.js")
struct ClusterCodecTests {
    private func decode(_ bytes: [UInt8]) throws(ClusterRefusal) -> ClusterBroadcast? {
        try ClusterDecoder.broadcast(ByteBuffer(bytes: bytes))
    }
    private func request(_ text: String) throws(ClusterRefusal) -> ClusterRequest { try ClusterDecoder.request(ByteBuffer(string: text)) }
    private func response(_ text: String) throws(ClusterRefusal) -> ClusterResponse {
        try ClusterDecoder.response(ByteBuffer(string: text))
    }
    private func string(_ text: String) -> [UInt8] { [0xA0 | UInt8(text.utf8.count)] + text.utf8 }

    @Test("§3.1: a broadcast is the array [uid, packet, opts]") func broadcast() throws {
        let message = ClusterBroadcast(
            uid: "abc123", namespace: "/", event: "ev", arguments: [1, "x", .bytes([0, 255])],
            target: BroadcastTarget(rooms: ["r"], except: ["e"]), flags: EmitFlags(isVolatile: true, compresses: false))
        let bytes: [UInt8] =
            [0x93] + string("abc123")
            + [0x83] + string("type") + [2] + string("data") + [0x94] + string("ev") + [1] + string("x") + [0xC4, 2, 0, 255]
            + string("nsp") + string("/")
            + [0x83] + string("rooms") + [0x91] + string("r") + string("except") + [0x91] + string("e")
            + string("flags") + [0x82] + string("volatile") + [0xC3] + string("compress") + [0xC2]
        #expect(ClusterEncoder.broadcast(message) == bytes)
        #expect(try decode(bytes) == message)
    }

    @Test("§3.2: the order of the members of redis-emitter is another, and the rooms may be left empty") func emitter() throws {
        let bytes: [UInt8] =
            [0x93] + string("emitter") + [0x83] + string("type") + [2] + string("data") + [0x91] + string("ev") + string("nsp")
            + string("/n")
            + [0x83] + string("rooms") + [0x90] + string("flags") + [0x80] + string("except") + [0x90]
        #expect(
            try decode(bytes)
                == ClusterBroadcast(
                    uid: "emitter", namespace: "/n", event: "ev", arguments: [], target: BroadcastTarget(), flags: EmitFlags()))
        // Of Python: '' for no rooms and no flags, type 5 with bytes; no namespace; a room that is a number.
        let loose: [UInt8] =
            [0x93] + string("emitter") + [0x82] + string("type") + [5] + string("data") + [0x92] + string("ev") + [0xC0]
            + [0x83] + string("flags") + string("") + string("rooms") + [0x92, 7] + string("") + string("except") + [0xC0]
        #expect(try decode(loose)?.target == BroadcastTarget(rooms: ["7", ""]))
        #expect(try decode(loose)?.namespace == "/")
    }

    @Test("§3.1: dates, undefined and ArrayBuffers of notepack") func notepack() throws {
        let date: [UInt8] = [0xD7, 0, 0, 0, 0x01, 0x9A, 0xC9, 0xD3, 0x5E, 0x7B]
        let buffer: [UInt8] = [0xC7, 3, 0, 1, 2, 3]
        let bytes: [UInt8] =
            [0x93] + string("u") + [0x83] + string("type") + [2] + string("data") + [0x94] + string("ev") + date + [0xD4, 0, 0] + buffer
            + string("nsp") + string("/") + [0x80]
        #expect(try decode(bytes)?.arguments == ["2025-11-28T09:37:44.059Z", .null, .bytes([1, 2, 3])])
    }

    @Test("a map is a message of the newer adapters, whose channels have the same names") func foreign() throws {
        #expect(try decode([0x80]) == nil)
        #expect(try ClusterDecoder.broadcast(ByteBuffer(string: #"{"uid":"x","nsp":"/","type":3}"#)) == nil)
    }

    @Test(
        "requests of all types",
        arguments: [
            (
                #"{"uid":"u","requestId":"r","type":0,"rooms":["a"]}"#,
                ClusterRequest(uid: "u", id: "r", body: .sockets(BroadcastTarget(rooms: ["a"])))
            ),
            (#"{"uid":"u","requestId":"r","type":1}"#, ClusterRequest(uid: "u", id: "r", body: .allRooms)),
            (
                #"{"uid":"u","type":2,"opts":{"rooms":["a"],"except":[]},"rooms":["x"]}"#,
                ClusterRequest(uid: "u", id: nil, body: .command(.join(["x"], BroadcastTarget(rooms: ["a"])), socket: nil))
            ),
            (
                #"{"uid":"u","type":3,"opts":{"rooms":[],"except":["b"]},"rooms":["x","y"]}"#,
                ClusterRequest(uid: "u", id: nil, body: .command(.leave(["x", "y"], BroadcastTarget(except: ["b"])), socket: nil))
            ),
            (
                #"{"uid":"u","type":4,"opts":{"rooms":["a"],"except":[]},"close":true}"#,
                ClusterRequest(
                    uid: "u", id: nil, body: .command(.disconnect(closingSessions: true, BroadcastTarget(rooms: ["a"])), socket: nil))
            ),
            (
                #"{"uid":"u","requestId":"r","type":5,"opts":{"rooms":[],"except":["b"]}}"#,
                ClusterRequest(uid: "u", id: "r", body: .fetch(BroadcastTarget(except: ["b"])))
            ),
            (#"{"uid":"u","type":6,"data":["ev",1]}"#, ClusterRequest(uid: "u", id: nil, body: .serverSideEmit("ev", [1]))),
            (#"{"uid":"u","requestId":"r","type":6,"data":["ev"]}"#, ClusterRequest(uid: "u", id: "r", body: .serverSideEmit("ev", []))),
        ])
    func requests(_ text: String, _ request: ClusterRequest) throws {
        #expect(try self.request(text) == request)
        #expect(String(decoding: ClusterEncoder.request(request, namespace: "/"), as: UTF8.self) == text)
    }

    @Test("the old requests about one socket") func old() throws {
        #expect(
            try request(#"{"requestId":"r","type":2,"sid":"s","room":"x"}"#)
                == ClusterRequest(uid: nil, id: "r", body: .command(.join(["x"], BroadcastTarget(rooms: ["s"])), socket: "s")))
        #expect(
            try request(#"{"requestId":"r","type":3,"sid":"s","room":"x"}"#).body
                == .command(.leave(["x"], BroadcastTarget(rooms: ["s"])), socket: "s"))
        #expect(
            try request(#"{"requestId":"r","type":4,"sid":"s","close":false}"#).body
                == .command(.disconnect(closingSessions: false, BroadcastTarget(rooms: ["s"])), socket: "s"))
    }

    @Test("S23: a broadcast with acknowledgement is MessagePack") func ask() throws {
        let request = ClusterRequest(
            uid: "u", id: "r", body: .broadcast("ev", [.bytes([7])], BroadcastTarget(rooms: ["a"]), EmitFlags(), milliseconds: 900))
        let bytes: [UInt8] =
            [0x85] + string("uid") + string("u") + string("requestId") + string("r") + string("type") + [7]
            + string("packet") + [0x83] + string("type") + [2] + string("data") + [0x92] + string("ev") + [0xC4, 1, 7] + string("nsp")
            + string("/n")
            + string("opts") + [0x83] + string("rooms") + [0x91] + string("a") + string("except") + [0x90]
            + string("flags") + [0x81] + string("timeout") + [0xCD, 0x03, 0x84]
        #expect(ClusterEncoder.request(request, namespace: "/n") == bytes)
        #expect(try ClusterDecoder.request(ByteBuffer(bytes: bytes)) == request)
    }

    @Test(
        "answers of all types",
        arguments: [
            (#"{"requestId":"r","sockets":["a"]}"#, ClusterResponse.Body.sockets(["a"])),
            (#"{"requestId":"r","rooms":["a","b"]}"#, .rooms(["a", "b"])),
            (#"{"requestId":"r"}"#, .done), (#"{"type":6,"requestId":"r","data":[1]}"#, .serverSideEmit([1])),
            (#"{"type":8,"requestId":"r","clientCount":3}"#, .clientCount(3)),
        ])
    func responses(_ text: String, _ body: ClusterResponse.Body) throws {
        #expect(try response(text) == ClusterResponse(id: "r", body: body))
        #expect(String(decoding: ClusterEncoder.response(ClusterResponse(id: "r", body: body)), as: UTF8.self) == text)
    }

    @Test("an acknowledgement is MessagePack, and so is whatever holds bytes") func bytes() throws {
        let ack = ClusterResponse(id: "r", body: .ack(.bytes([1])))
        let bytes: [UInt8] =
            [0x83] + string("type") + [9] + string("requestId") + string("r") + string("packet") + [0xC4, 1, 1]
        #expect(ClusterEncoder.response(ack) == bytes)
        #expect(try ClusterDecoder.response(ByteBuffer(bytes: bytes)) == ack)
        let event = ClusterRequest(uid: "u", id: nil, body: .serverSideEmit("ev", [.bytes([1])]))
        let encoded = ClusterEncoder.request(event, namespace: "/")
        #expect(encoded.first == 0x83)
        #expect(try ClusterDecoder.request(ByteBuffer(bytes: encoded)) == event)
    }

    @Test(
        "hostile requests",
        arguments: [
            ("", .malformed), ("{", .malformed), ("{}", .shape), (#"{"type":"2"}"#, .shape), (#"{"type":10}"#, .unknownType),
            (#"{"type":8}"#, .unknownType), (#"{"type":4,"opts":1}"#, .shape), (#"{"type":4}"#, .shape), (#"{"type":5}"#, .shape),
            (#"{"type":2,"opts":{"rooms":{}},"rooms":["x"]}"#, .shape), (#"{"type":6,"data":[]}"#, .shape),
            (#"{"type":6,"data":[1]}"#, .shape),
            (#"{"type":6,"data":["disconnect"]}"#, .reservedEvent),
            (#"{"type":7,"packet":{"type":3,"data":["x"]},"opts":{}}"#, .unknownType),
            (String(repeating: #"{"a":"#, count: 200), .malformed),
        ] as [(String, ClusterRefusal)])
    func hostile(_ text: String, _ refusal: ClusterRefusal) { #expect(throws: refusal) { try request(text) } }

    @Test("hostile broadcasts") func hostileBroadcasts() {
        let packet: [UInt8] = [0x82] + string("type") + [2] + string("data") + [0x91] + string("ev")
        let reserved: [UInt8] = [0x82] + string("type") + [2] + string("data") + [0x91] + string("connect")
        let cases: [([UInt8], ClusterRefusal)] = [
            ([], .malformed), ([0xC1], .malformed), ([0x93], .malformed), ([0xDD, 0xFF, 0xFF, 0xFF, 0xFF], .malformed),
            ([UInt8](repeating: 0x91, count: 100_000) + [0xC0], .malformed), ([0x90], .shape), ([0x93, 1, 2, 3], .shape),
            ([0x92] + string("u") + packet, .shape), ([0x93] + string("u") + packet + [0xC0], .shape),
            ([0x93] + string("u") + [0x80, 0x80], .unknownType), ([0x93] + string("u") + reserved + [0x80], .reservedEvent),
        ]
        for (bytes, refusal) in cases { #expect(throws: refusal) { try decode(bytes) } }
    }

    @Test("a message that is longer than the limit, and one with too many rooms") func limits() {
        let long = ByteBuffer(repeating: 0x20, count: ClusterLimits.messageBytesMax + 1)
        #expect(throws: ClusterRefusal.tooLong) { try ClusterDecoder.request(long) }
        let rooms = (0...ClusterLimits.roomsMax).map { "\"\($0)\"" }.joined(separator: ",")
        #expect(throws: ClusterRefusal.shape) { try request(#"{"type":0,"rooms":[\#(rooms)]}"#) }
    }

    @Test("the names of the channels") func channels() {
        let channels = ClusterChannels(key: "socket.io")
        #expect(channels.broadcast("/") == "socket.io#/#")
        #expect(channels.broadcast("/n", room: "r") == "socket.io#/n#r#")
        #expect(channels.request("/") == "socket.io-request#/#")
        #expect(channels.response("/") == "socket.io-response#/#")
        #expect(channels.response("/", to: "abc123") == "socket.io-response#/#abc123#")
    }
}
