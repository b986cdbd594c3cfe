import NIOCore
import Testing

@testable import TransportWire

@Suite("Polling payloads of revision 3")
struct PollingPayloadV3Tests {
    private typealias Decoded = (packets: [EngineIOPacket], failure: WireError?)

    private func decode(_ text: String, limits: WireLimits = WireLimits()) -> Decoded {
        PollingPayloadV3.decode(ByteBuffer(text), isBinary: false, limits: limits)
    }

    private func decode(_ bytes: [UInt8], limits: WireLimits = WireLimits()) -> Decoded {
        PollingPayloadV3.decode(ByteBuffer(bytes: bytes), isBinary: true, limits: limits)
    }

    private func encoded(_ packets: [EngineIOPacket], allowsBytes: Bool = true, limit: Int = 1_000_000) -> PollingPayloadV3Encoder {
        var encoder = PollingPayloadV3Encoder(limit: limit, allowsBytes: allowsBytes)
        for packet in packets { _ = encoder.append(packet: packet) }
        return encoder
    }

    @Test("L3: text packets and base64 in order, lengths in UTF-16 code units")
    func text() {
        let (packets, failure) = decode("6:4hello10:b4AQIDBA==1:23:4€ä3:4😀2:4a")
        #expect(failure == nil)
        #expect(
            packets == [
                .message(ByteBuffer("hello")), .binary(ByteBuffer(bytes: [1, 2, 3, 4])), .ping(ByteBuffer()), .message(ByteBuffer("€ä")),
                .message(ByteBuffer("😀")), .message(ByteBuffer("a")),
            ])
    }

    @Test("L3: the byte form, lengths in bytes, text and base64 among it")
    func bytes() {
        let (packets, failure) = decode(
            [0, 6, 255] + Array("4hello".utf8) + [1, 5, 255, 4, 1, 2, 3, 4] + [0, 5, 255] + Array("4😀".utf8) + [0, 6, 255]
                + Array("b4AQ==".utf8) + [0, 1, 0, 255, 0x34] + Array("123456789".utf8))
        #expect(failure == nil)
        #expect(
            packets == [
                .message(ByteBuffer("hello")), .binary(ByteBuffer(bytes: [1, 2, 3, 4])), .message(ByteBuffer("😀")),
                .binary(ByteBuffer(bytes: [1])), .message(ByteBuffer("123456789")),
            ])
    }

    @Test(
        "Attack 11, E23: lengths that lie, in text: what came before is delivered, with the error",
        arguments: [
            ("99999999999:4a", 0, WireError.invalidLength), (String(repeating: "9", count: 400), 0, .invalidLength),
            (String(repeating: "0", count: 400), 0, .invalidLength), ("-1:4", 0, .invalidLength), ("+2:4a", 0, .invalidLength),
            ("2.0:4a", 0, .invalidLength), ("2e0:4a", 0, .invalidLength), (" 2:4a", 0, .invalidLength), ("02:4a", 0, .invalidLength),
            ("0:", 0, .invalidLength), (":4a", 0, .emptyPacket), ("", 0, .emptyPacket), ("2", 0, .invalidLength), ("2:", 0, .invalidLength),
            ("2:4", 0, .invalidLength), ("3:4a", 0, .invalidLength), ("1:😀", 0, .invalidLength), ("2:4😀", 0, .invalidLength),
            ("4:4😀", 0, .invalidLength), ("5:4😀", 0, .invalidLength), ("1:😀1:2", 0, .invalidLength), ("2:4a1:", 1, .invalidLength),
            ("2:4a3:4b", 1, .invalidLength), ("2:4aabc", 1, .invalidLength), ("abc", 0, .invalidLength),
            ("1:a", 0, .unknownPacketType(0x61)), ("2:4a1:7", 1, .unknownPacketType(0x37)), ("1:b", 0, .emptyPacket),
            ("2:b3", 0, .unknownPacketType(0x33)), ("5:b4AQ=", 0, .invalidBase64), ("2:1x", 0, .unexpectedPayload),
        ])
    func lyingText(text: String, delivered: Int, error: WireError) {
        let (packets, failure) = decode(text)
        #expect(packets.count == delivered)
        #expect(failure == error)
    }

    @Test(
        "Attack 11, E23: lengths that lie, in bytes",
        arguments: [
            ([], 0, WireError.emptyPacket), ([0], 0, .emptyPacket), ([0, 255], 0, .emptyPacket), ([0, 255, 0x34], 0, .emptyPacket),
            ([1, 0, 255], 0, .invalidLength), ([1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 255, 4], 0, .invalidLength),
            ([UInt8](repeating: 9, count: 1_000), 0, .unknownPacketType(9)), ([0] + [UInt8](repeating: 0, count: 1_000), 0, .invalidLength),
            ([1] + [UInt8](repeating: 1, count: 1_000), 0, .invalidLength), ([1, 10, 255, 4], 0, .invalidLength),
            ([1, 2, 255, 4], 0, .invalidLength), ([1, 1, 254, 4], 0, .invalidLength), ([2, 1, 255, 4], 0, .unknownPacketType(2)),
            ([1, 1, 255, 5], 0, .unknownPacketType(5)), ([1, 1, 255, 4, 1, 1, 255, 0x34], 1, .unknownPacketType(0x34)),
            ([0, 1, 255, 0x36, 0, 2, 255, 0x34], 1, .invalidLength), ([0x36, 0x3A], 0, .unknownPacketType(0x36)),
        ] as [([UInt8], Int, WireError)])
    func lyingBytes(bytes: [UInt8], delivered: Int, error: WireError) {
        let (packets, failure) = decode(bytes)
        #expect(packets.count == delivered)
        #expect(failure == error)
    }

    @Test(
        "text that is not UTF-8 is refused in both forms, surrogates too",
        arguments: [[0x34, 0xC3], [0x34, 0xED, 0xA0, 0x80], [0x34, 0xF0, 0x9F, 0x98], [0x34, 0x80]] as [[UInt8]])
    func invalidUTF8(packet: [UInt8]) {
        let byBytes = decode([0, UInt8(packet.count), 255] + packet)
        #expect(byBytes.packets.isEmpty && byBytes.failure == .invalidUTF8)
        for units in 1...4 {
            let byText = PollingPayloadV3.decode(ByteBuffer(bytes: Array("\(units):".utf8) + packet), isBinary: false)
            #expect(byText.failure != nil)
            #expect(byText.packets.allSatisfy { $0 == .message(ByteBuffer()) })
        }
    }

    @Test("E26: packets are bounded in number")
    func bounded() {
        let limits = WireLimits(pollingPackets: 3)
        #expect(decode("1:41:41:4", limits: limits).failure == nil)
        let (packets, failure) = decode("1:41:41:41:4", limits: limits)
        #expect(packets.count == 3 && failure == .tooManyPackets)
        #expect(decode([0, 1, 255, 0x34, 0, 1, 255, 0x34, 0, 1, 255, 0x34, 0], limits: limits).failure == .tooManyPackets)
    }

    @Test("L3: bytes when the client takes them and something is binary, else text")
    func forms() {
        let mixed: [EngineIOPacket] = [.message(ByteBuffer("hello")), .binary(ByteBuffer(bytes: [1, 2, 3, 4]))]
        let bytes = encoded(mixed)
        #expect(bytes.isBinary)
        #expect(bytes.encode().array == [0, 6, 255, 52, 104, 101, 108, 108, 111, 1, 5, 255, 4, 1, 2, 3, 4])
        let base64 = encoded(mixed, allowsBytes: false)
        #expect(!base64.isBinary)
        #expect(base64.encode().text == "6:4hello10:b4AQIDBA==")
        let text = encoded([.message(ByteBuffer("ä😀")), .noop])
        #expect(!text.isBinary)
        #expect(text.encode().text == "4:4ä😀1:6")
        #expect(encoded([]).encode().readableBytes == 0)
    }

    @Test("E27: what does not fit waits, the first packet always leaves, and the limit is exact in either form")
    func limit() {
        for allowsBytes in [false, true] {
            let packets: [EngineIOPacket] = [.message(ByteBuffer("12345678")), .binary(ByteBuffer(bytes: [1])), .message(ByteBuffer("😀"))]
            let size = encoded(packets, allowsBytes: allowsBytes).encode().readableBytes
            #expect(encoded(packets, allowsBytes: allowsBytes, limit: size).count == 3)
            #expect(encoded(packets, allowsBytes: allowsBytes, limit: size - 1).count == 2)
            #expect(encoded(packets, allowsBytes: allowsBytes, limit: 1).count == 1)
        }
    }

    @Test("what is encoded is read again, in every form and at lengths of one to six digits")
    func roundTrip() {
        for count in [1, 8, 9, 10, 98, 99, 100, 998, 999, 1_000, 99_999] {
            let packets: [EngineIOPacket] = [
                .message(ByteBuffer(String(repeating: "ä", count: count))), .message(ByteBuffer(String(repeating: "😀", count: count))),
                .binary(ByteBuffer(repeating: 7, count: count)), .pong(ByteBuffer()), .close,
            ]
            for allowsBytes in [false, true] {
                let encoder = encoded(packets, allowsBytes: allowsBytes)
                #expect(encoder.count == 5)
                let decoded = PollingPayloadV3.decode(encoder.encode(), isBinary: encoder.isBinary)
                #expect(decoded.failure == nil && decoded.packets == packets)
            }
        }
    }

    @Test("Attack 4: a body of the largest size is read in time proportional to its length", arguments: [false, true])
    func largest(isBinary: Bool) {
        func time(_ count: Int) -> Duration {
            let encoder = encoded(
                [.message(ByteBuffer(String(repeating: "ä😀", count: count / 6))), .binary(ByteBuffer(bytes: [0]))], allowsBytes: isBinary,
                limit: .max)
            let body = encoder.encode()
            return ContinuousClock().measure { #expect(PollingPayloadV3.decode(body, isBinary: isBinary).failure == nil) }
        }
        _ = time(10_000)
        let small = time(62_500)
        // The best of three: the machine may stand still in one of them.
        let large = min(time(1_000_000), time(1_000_000), time(1_000_000))
        // Sixteen times the bytes; quadratic work would take 256 times as long. A busy machine is allowed for.
        #expect(large < small * 80 + .milliseconds(200), "\(small) and \(large)")
    }
}

extension PollingPayloadV3Encoder {
    /// As a session adds it: the text form of what is not binary.
    mutating func append(packet: EngineIOPacket) -> Bool {
        if case .binary(let data) = packet { return append(data, isBinary: true) }
        var text = ByteBuffer()
        EngineIOCodec.encode(packet, into: &text)
        return append(text, isBinary: false)
    }
}
