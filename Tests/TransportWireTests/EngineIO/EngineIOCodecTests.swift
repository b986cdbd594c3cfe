import JSON
import NIOCore
import Testing

@testable import TransportWire

@Suite("Engine.IO packets")
struct EngineIOCodecTests {
    private static let packets: [(EngineIOPacket, String)] = [
        (.open(ByteBuffer("{}")), "0{}"), (.close, "1"), (.ping(ByteBuffer()), "2"), (.ping(EngineIOPacket.probe), "2probe"),
        (.pong(ByteBuffer()), "3"), (.pong(EngineIOPacket.probe), "3probe"), (.message(ByteBuffer()), "4"),
        (.message(ByteBuffer("hello €")), "4hello €"), (.upgrade, "5"), (.noop, "6"),
        (.binary(ByteBuffer(bytes: [1, 2, 3, 4])), "bAQIDBA=="),
        (.binary(ByteBuffer()), "b"),
    ]

    @Test("E11 E23: every type is written with its digit and read back", arguments: Self.packets)
    func roundTrip(packet: EngineIOPacket, text: String) throws {
        var output = ByteBuffer()
        EngineIOCodec.encode(packet, into: &output)
        #expect(output.text == text)
        #expect(EngineIOCodec.encodedLength(of: packet) == text.utf8.count)
        #expect(try EngineIOCodec.decode(text: output) == packet)
    }

    @Test("decoding starts at the reader index of a larger buffer")
    func readerIndex() throws {
        var buffer = ByteBuffer("xx4hello")
        buffer.moveReaderIndex(forwardBy: 2)
        #expect(try EngineIOCodec.decode(text: buffer) == .message(ByteBuffer("hello")))
    }

    @Test(
        "a packet without a type, or with an unknown one, is refused (E23)",
        arguments: [
            ("", WireError.emptyPacket), ("abc", .unknownPacketType(0x61)), ("7", .unknownPacketType(0x37)),
            ("/", .unknownPacketType(0x2F)),
            (" 4", .unknownPacketType(0x20)), ("b!", .invalidBase64), ("bAQIDBA", .invalidBase64), ("1x", .unexpectedPayload),
            ("5probe", .unexpectedPayload), ("6 ", .unexpectedPayload),
        ])
    func refusals(text: String, error: WireError) {
        #expect(throws: error) { try EngineIOCodec.decode(text: ByteBuffer(text)) }
    }

    @Test("every first byte but the eight known ones is refused")
    func everyFirstByte() {
        for byte in UInt8.min...UInt8.max {
            let known = (UInt8(ascii: "0")...UInt8(ascii: "6")).contains(byte) || byte == UInt8(ascii: "b")
            let decoded = try? EngineIOCodec.decode(text: ByteBuffer(bytes: [byte]))
            if (decoded != nil) != known { Issue.record("\(byte)") }
        }
    }

    @Test("E9: the open packet has exactly the five keys in the reference's order, and reads back")
    func open() throws {
        let open = OpenPayload(
            sid: "lv_VI97HAXpY6yYWAAAC", upgrades: ["websocket"], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000)
        let text = open.encode()
        #expect(
            text.text
                == #"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        )
        #expect(try OpenPayload(parsing: text) == open)
        #expect(throws: WireError.invalidOpenPayload) { try OpenPayload(parsing: ByteBuffer(#"{"sid":"x"}"#)) }
        #expect(throws: WireError.self) { try OpenPayload(parsing: ByteBuffer("{")) }
    }
}
