import NIOCore
import Testing

@testable import TransportWire

@Suite("Polling payloads")
struct PollingPayloadTests {
    private func add(_ packet: EngineIOPacket, to encoder: inout PollingPayloadEncoder) -> Bool { encoder.append(packet) }

    private func decode(_ text: String, limits: WireLimits = WireLimits()) -> (packets: [EngineIOPacket], failure: WireError?) {
        PollingPayload.decode(ByteBuffer(text), limits: limits)
    }

    @Test("E23: text and binary packets are split at 0x1E in order")
    func mixed() {
        let (packets, failure) = decode("4hello\u{1E}bAQIDBA==\u{1E}2\u{1E}4€")
        #expect(failure == nil)
        #expect(
            packets == [
                .message(ByteBuffer("hello")), .binary(ByteBuffer(bytes: [1, 2, 3, 4])), .ping(ByteBuffer()), .message(ByteBuffer("€")),
            ])
    }

    @Test(
        "E23: the packets before the first invalid one are delivered with its error",
        arguments: [
            ("4a\u{1E}abc\u{1E}4b", 1, WireError.unknownPacketType(0x61)), ("", 0, .emptyPacket), ("\u{1E}", 0, .emptyPacket),
            ("4a\u{1E}", 1, .emptyPacket),
            ("\u{1E}4a", 0, .emptyPacket), ("4a\u{1E}\u{1E}4b", 1, .emptyPacket), ("4a\u{1E}b***\u{1E}4b", 1, .invalidBase64),
            ("abc", 0, .unknownPacketType(0x61)),
        ])
    func stopsAtInvalid(text: String, delivered: Int, error: WireError) {
        let (packets, failure) = decode(text)
        #expect(packets.count == delivered)
        #expect(failure == error)
    }

    @Test(
        "text that is not UTF-8 is refused, also when a separator cuts a character",
        arguments: [
            [0x34, 0xC3], [0x34, 0xED, 0xA0, 0x80], [0x34, 0xE2, 0x1E, 0x82, 0xAC],
        ] as [[UInt8]])
    func invalidUTF8(body: [UInt8]) {
        let (packets, failure) = PollingPayload.decode(ByteBuffer(bytes: body))
        #expect(packets.isEmpty)
        #expect(failure == .invalidUTF8)
    }

    @Test("E26: packets are bounded in number, and those within the bound are delivered")
    func bounded() {
        let limits = WireLimits(pollingPackets: 3)
        #expect(decode("4\u{1E}4\u{1E}4", limits: limits).failure == nil)
        let (packets, failure) = decode("4\u{1E}4\u{1E}4\u{1E}4", limits: limits)
        #expect(packets.count == 3)
        #expect(failure == .tooManyPackets)
        #expect(decode("4" + String(repeating: "\u{1E}4", count: 999)).packets.count == 1_000)
    }

    @Test("E27: what does not fit waits, the first packet always leaves, and the limit is exact")
    func encoderLimit() {
        var encoder = PollingPayloadEncoder(limit: 9)
        #expect(encoder.isEmpty)
        #expect(add(.message(ByteBuffer("abc")), to: &encoder))
        #expect(!add(.message(ByteBuffer("abcd")), to: &encoder))
        #expect(add(.message(ByteBuffer("def")), to: &encoder))
        #expect(!add(.noop, to: &encoder))
        #expect(encoder.body.text == "4abc\u{1E}4def")
        #expect(encoder.count == 2)

        var tight = PollingPayloadEncoder(limit: 2)
        #expect(add(.binary(ByteBuffer(bytes: [1, 2, 3, 4])), to: &tight))
        #expect(!add(.noop, to: &tight))
        #expect(tight.body.text == "bAQIDBA==")
    }

    @Test("what the encoder writes the decoder reads")
    func roundTrip() {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var encoder = PollingPayloadEncoder(limit: 100_000)
            var packets: [EngineIOPacket] = []
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                let length = Int.random(in: 0...50, using: &random)
                let packet: EngineIOPacket =
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: .binary(ByteBuffer(bytes: random.bytes(length)))
                    case 1: .pong(ByteBuffer())
                    case 2: .noop
                    default: .message(ByteBuffer(random.text(length)))
                    }
                packets.append(packet)
                #expect(add(packet, to: &encoder))
            }
            let decoded = PollingPayload.decode(encoder.body)
            #expect(decoded.failure == nil && decoded.packets == packets, "seed \(seed)")
        }
    }

    @Test("random bytes never crash, and damage never yields more packets than separators")
    func randomBytes() {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let body = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                [0x1E, 0x34, 0x62, 0x41, 0x3D, 0xC3, UInt8.random(in: 0...255, using: &random)][Int.random(in: 0..<7, using: &random)]
            }
            let (packets, failure) = PollingPayload.decode(ByteBuffer(bytes: body))
            let segments = body.count { $0 == 0x1E } + 1
            #expect(packets.count <= segments && (failure != nil) == (packets.count < segments), "seed \(seed), body \(body)")
        }
    }

    @Test("a separator is found at every offset", arguments: 0..<40)
    func separatorOffsets(offset: Int) {
        let bytes = [UInt8](repeating: 0x1F, count: offset) + [0x1E, 0x1E] + [UInt8](repeating: 0x9E, count: 9)
        #expect(bytes.withUnsafeBytes { ByteScan.firstIndex(of: 0x1E, in: $0) } == offset)
        let none = [UInt8](repeating: 0x9E, count: offset) + [0x1F, 0x1D, 0x00, 0xFF]
        #expect(none.withUnsafeBytes { ByteScan.firstIndex(of: 0x1E, in: $0) } == nil)
    }
}
