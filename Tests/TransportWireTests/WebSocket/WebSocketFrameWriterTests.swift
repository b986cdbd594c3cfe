import NIOCore
import Testing

@testable import TransportWire

@Suite("WebSocket frames")
struct WebSocketFrameWriterTests {
    @Test("server frames of every length form are those of the RFC, and read back", arguments: [0, 1, 125, 126, 127, 65_535, 65_536])
    func serverFrames(length: Int) {
        let payload = [UInt8](repeating: 0x61, count: length)
        let frame = WebSocketFrameWriter.frame(.binary, payload: ByteBuffer(bytes: payload))
        #expect(frame.array == RawFrame(first: 0x82, payload: payload, mask: nil).bytes)
        #expect(WebSocketFrameWriter.headerLength(payload: length) == frame.readableBytes - length)
        #expect(ParserRun(frame.array, role: .client).events == [.binary(ByteBuffer(bytes: payload))])
    }

    @Test("client frames are masked as the RFC says, and read back", arguments: [0, 1, 3, 7, 8, 9, 125, 126, 65_535, 65_536])
    func clientFrames(length: Int) {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        let frame = WebSocketFrameWriter.clientFrame(.binary, payload: ByteBuffer(bytes: payload), key: 0x37FA_213D)
        #expect(frame.array == RawFrame(first: 0x82, payload: payload).bytes)
        let fragment = WebSocketFrameWriter.clientFrame(.text, payload: ByteBuffer("x"), key: 0x37FA_213D, isFinal: false)
        #expect(fragment.array == RawFrame.text("x", fin: false))
    }

    @Test("masking from any offset equals masking octet by octet")
    func mask() {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        for length in 0..<40 {
            for offset in 0..<9 {
                let key = random.bytes(4)
                let plain = random.bytes(length)
                let mask = WebSocketMask(key: key.reduce(0) { $0 << 8 | UInt32($1) })
                var masked = plain
                masked.withUnsafeMutableBytes { mask.apply(to: $0, offset: offset) }
                #expect(masked == plain.enumerated().map { $1 ^ key[($0 + offset) % 4] }, "seed \(seed)")
            }
        }
    }

    @Test(
        "E28: an Engine.IO packet is one frame in one buffer",
        arguments: [
            (EngineIOPacket.message(ByteBuffer("hello")), [0x81, 6] + Array("4hello".utf8)), (.ping(ByteBuffer()), [0x81, 1, 0x32]),
            (.noop, [0x81, 1, 0x36]),
            (.pong(EngineIOPacket.probe), [0x81, 6] + Array("3probe".utf8)), (.binary(ByteBuffer(bytes: [4, 0xFF])), [0x82, 2, 4, 0xFF]),
            (.binary(ByteBuffer()), [0x82, 0]),
        ] as [(EngineIOPacket, [UInt8])])
    func engineIO(packet: EngineIOPacket, bytes: [UInt8]) {
        #expect(WebSocketFrameWriter.frame(packet).array == bytes)
    }

    @Test("frames are appended to what is there, and the prefix counts in the length")
    func appended() {
        var output = ByteBuffer(bytes: [0xAA])
        WebSocketFrameWriter.textFrame(prefix: 0x34, payload: ByteBuffer(bytes: [UInt8](repeating: 0x62, count: 125)), into: &output)
        WebSocketFrameWriter.frame(.pong, payload: ByteBuffer(), into: &output)
        #expect(output.array == [0xAA, 0x81, 126, 0, 126, 0x34] + [UInt8](repeating: 0x62, count: 125) + [0x8A, 0])
    }

    @Test("attack 15: a close frame is its code and reason and nothing else")
    func close() {
        #expect(WebSocketFrameWriter.close(code: 1000).array == [0x88, 2, 0x03, 0xE8])
        #expect(WebSocketFrameWriter.close(code: 1001, reason: "bye").array == [0x88, 5, 0x03, 0xE9, 0x62, 0x79, 0x65])
        #expect(WebSocketFrameWriter.close(code: nil).array == [0x88, 0])
        #expect(WebSocketFrameWriter.close(code: nil, reason: "lost").array == [0x88, 0])
        for code: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            #expect(WebSocketFrameWriter.close(code: code).array == [0x88, 0])
        }
    }

    @Test("a long reason is cut at a character so that the frame stays a control frame", arguments: ["a", "é", "水", "😀"])
    func longReason(character: String) {
        let frame = WebSocketFrameWriter.close(code: 1008, reason: String(repeating: character, count: 200))
        let fitting = 123 / character.utf8.count
        #expect(ParserRun(frame.array, role: .client).events == [.close(code: 1008, reason: String(repeating: character, count: fitting))])
    }
}
