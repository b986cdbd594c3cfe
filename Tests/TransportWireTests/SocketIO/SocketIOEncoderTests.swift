import JSON
import NIOCore
import Testing

@testable import TransportWire

@Suite("Socket.IO encoder")
struct SocketIOEncoderTests {
    @Test(
        "S1 S11 S12: packets are written as the reference writes them",
        arguments: [
            (SocketIOPacket(kind: .connect, data: ["sid": "x"]), #"0{"sid":"x"}"#),
            (SocketIOPacket(kind: .connect, namespace: "/custom"), "0/custom,"),
            (SocketIOPacket(kind: .disconnect), "1"), (SocketIOPacket(kind: .disconnect, namespace: "/a"), "1/a,"),
            (SocketIOPacket(kind: .event, data: ["message-back", 1, "2", ["3": [true]]]), #"2["message-back",1,"2",{"3":[true]}]"#),
            (SocketIOPacket(kind: .event, ackID: 0, data: ["a"]), #"20["a"]"#),
            (SocketIOPacket(kind: .event, namespace: "/n", ackID: 13, data: ["a"]), #"2/n,13["a"]"#),
            (SocketIOPacket(kind: .ack, ackID: 456, data: [1, "2"]), #"3456[1,"2"]"#),
            (
                SocketIOPacket(kind: .connectError, namespace: "/random", data: ["message": "Invalid namespace"]),
                #"4/random,{"message":"Invalid namespace"}"#
            ),
            (SocketIOPacket(kind: .binaryEvent, data: ["no bytes"]), #"2["no bytes"]"#),
            (SocketIOPacket(kind: .binaryAck, ackID: 1, data: []), "31[]"),
        ])
    func texts(packet: SocketIOPacket, text: String) {
        #expect(SocketIOEncoder.encode(packet) == EncodedSocketIOPacket(text: ByteBuffer(text)))
    }

    @Test("S8: bytes choose the binary kind, and placeholders stand in order with the reference's keys")
    func binary() {
        let event = SocketIOPacket(
            kind: .event, namespace: "/n", ackID: 7, data: ["message-back", .bytes([1, 2, 3]), ["x": .bytes([4, 5, 6])]])
        let encoded = SocketIOEncoder.encode(event)
        #expect(encoded.text.text == #"52-/n,7["message-back",{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]"#)
        #expect(encoded.attachments == [ByteBuffer(bytes: [1, 2, 3]), ByteBuffer(bytes: [4, 5, 6])])
        let ack = SocketIOEncoder.encode(SocketIOPacket(kind: .ack, ackID: 789, data: [.bytes([])]))
        #expect(ack.text.text == #"61-789[{"_placeholder":true,"num":0}]"#)
        #expect(ack.attachments == [ByteBuffer()])
    }

    @Test("an event built from JSON texts equals the one built from a tree")
    func fastPath() {
        for (namespace, ackID) in [("/", UInt64?.none), ("/n", nil), ("/", 5), ("/long", 9_007_199_254_740_991)] {
            for name in ["delta", "é", "a\"b\\c\n", ""] {
                let tree = SocketIOPacket(kind: .event, namespace: namespace, ackID: ackID, data: [.string(name), ["k": 1], "x"])
                let text = SocketIOEncoder.event(
                    namespace: namespace, ackID: ackID, name: name, argumentsJSON: Array(#"{"k":1}"#.utf8), Array(#""x""#.utf8))
                #expect(text == SocketIOEncoder.encode(tree).text)
            }
        }
        #expect(SocketIOEncoder.event(name: "tick").text == #"2["tick"]"#)
    }

    @Test("what the encoder writes the decoder reads, for random trees with bytes")
    func roundTrip() throws {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        var binaries = 0
        for _ in 0..<1_000 {
            var room = 10
            let arguments = (0..<Int.random(in: 0...4, using: &random)).map { _ in value(&random, depth: 3, room: &room) }
            let isAck = Bool.random(using: &random)
            let ackID = isAck || Bool.random(using: &random) ? UInt64.random(in: 0...SocketIOPacket.maximumAckID, using: &random) : nil
            let packet = SocketIOPacket(
                kind: isAck ? .ack : .event, namespace: Bool.random(using: &random) ? "/" : "/chat room", ackID: ackID,
                data: .array(isAck ? arguments : [.string("event " + random.text(3))] + arguments))
            let encoded = SocketIOEncoder.encode(packet)
            binaries += encoded.attachments.count
            var decoder = SocketIODecoder()
            var decoded = try decoder.text(encoded.text)
            for attachment in encoded.attachments {
                #expect(decoded == nil)
                decoded = try decoder.binary(attachment)
            }
            #expect(decoded == packet, "seed \(seed)")
        }
        #expect(binaries > 0, "seed \(seed)")
    }

    private func value(_ random: inout SeededGenerator, depth: Int, room: inout Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &random))
        case 3: return .string(random.text(6))
        case 4: return .number("-0.25e10")
        case 5:
            guard room > 0 else { return .null }
            room -= 1
            return .bytes(random.bytes(Int.random(in: 0...20, using: &random)))
        case 6:
            var elements: [JSONValue] = []
            for _ in 0..<3 { elements.append(value(&random, depth: depth - 1, room: &room)) }
            return .array(elements)
        default:
            return .object(
                JSONObject([("k", value(&random, depth: depth - 1, room: &room)), ("é", value(&random, depth: depth - 1, room: &room))]))
        }
    }
}
