import NIOCore
import Testing

@testable import TransportWire

/// What RFC 6455 demands of a receiver: section, octets, outcome.
struct RFC6455Rule: Sendable, CustomTestStringConvertible {
    let section: String
    let rule: String
    let bytes: [UInt8]
    var role = WebSocketRole.server
    let outcome: ParserRun

    init(_ section: String, _ rule: String, _ bytes: [UInt8], role: WebSocketRole = .server, fails failure: WebSocketFailure) {
        (self.section, self.rule, self.bytes, self.role, outcome) = (section, rule, bytes, role, ParserRun(failure: failure))
    }

    init(_ section: String, _ rule: String, _ bytes: [UInt8], role: WebSocketRole = .server, gives events: [WebSocketEvent]) {
        (self.section, self.rule, self.bytes, self.role, outcome) = (section, rule, bytes, role, ParserRun(events: events))
    }

    var testDescription: String { "§\(section) \(rule)" }

    static let all: [RFC6455Rule] = framing + lengths + control + fragments + closing

    private static let hello = WebSocketEvent.text(ByteBuffer("Hello"))

    private static let framing: [RFC6455Rule] = [
        .init("5.1", "a client's frame must be masked", RawFrame(first: 0x81, payload: [0x41], mask: nil).bytes, fails: .maskRequired),
        .init("5.1", "a client's control frame must be masked", RawFrame(first: 0x89, mask: nil).bytes, fails: .maskRequired),
        .init("5.1", "a server's frame must not be masked", RawFrame.text("x"), role: .client, fails: .maskForbidden),
        .init("5.2", "RSV1 fails without permessage-deflate", RawFrame(first: 0xC1).bytes, fails: .compressionNotNegotiated),
        .init("5.2", "RSV1 fails on a control frame", RawFrame(first: 0xC9).bytes, fails: .compressionNotNegotiated),
        .init("5.2", "RSV2 fails", RawFrame(first: 0xA1).bytes, fails: .reservedBits),
        .init("5.2", "RSV3 fails", RawFrame(first: 0x91).bytes, fails: .reservedBits),
        .init("5.2", "RSV3 fails on close", RawFrame(first: 0x98).bytes, fails: .reservedBits),
        .init("5.3", "the mask applies octet i modulo 4", RawFrame.text("Hello"), gives: [hello]),
        .init("5.3", "a zero key is a key", RawFrame(first: 0x81, payload: Array("Hello".utf8), mask: [0, 0, 0, 0]).bytes, gives: [hello]),
        .init("5.7", "a single-frame unmasked text message", [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], role: .client, gives: [hello]),
        .init(
            "5.7", "a single-frame masked text message", [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], gives: [hello]),
        .init(
            "5.7", "a fragmented unmasked text message", [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F], role: .client,
            gives: [hello]),
        .init("5.7", "an unmasked ping", [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], role: .client, gives: [.ping(ByteBuffer("Hello"))]),
    ]

    private static let lengths: [RFC6455Rule] = [
        .init(
            "5.2", "two length octets must be needed",
            RawFrame(first: 0x82, payload: .init(repeating: 0, count: 125), lengthForm: .two).bytes, fails: .lengthNotMinimal),
        .init(
            "5.2", "eight length octets must be needed",
            RawFrame(first: 0x82, payload: .init(repeating: 0, count: 65_535), lengthForm: .eight).bytes, fails: .lengthNotMinimal),
        .init("5.2", "zero in eight octets is not minimal", RawFrame(first: 0x82, lengthForm: .eight).bytes, fails: .lengthNotMinimal),
        .init(
            "5.2", "the top bit of a 64-bit length must be zero", RawFrame(first: 0x82, declaredLength: 1 << 63).bytes,
            fails: .messageTooBig),
        .init("5.2", "all bits of a 64-bit length", RawFrame(first: 0x82, declaredLength: .max).bytes, fails: .messageTooBig),
        .init("10.4", "a length beyond 2^53 fails", RawFrame(first: 0x82, declaredLength: 1 << 53 + 1).bytes, fails: .messageTooBig),
        .init(
            "10.4", "2^40 is refused on declaration (attack 12)", RawFrame(first: 0x82, declaredLength: 1 << 40).bytes,
            fails: .messageTooBig),
    ]

    private static let control: [RFC6455Rule] = [
        .init(
            "5.5", "a ping of 126 octets fails", RawFrame(first: 0x89, payload: .init(repeating: 0, count: 126)).bytes,
            fails: .controlTooLong),
        .init(
            "5.5", "a pong of 126 octets fails", RawFrame(first: 0x8A, payload: .init(repeating: 0, count: 126)).bytes,
            fails: .controlTooLong),
        .init(
            "5.5", "a close of 126 octets fails", RawFrame(first: 0x88, payload: .init(repeating: 65, count: 126)).bytes,
            fails: .controlTooLong),
        .init(
            "5.5", "a control length in eight octets fails", RawFrame(first: 0x89, declaredLength: 1 << 40).bytes, fails: .controlTooLong),
        .init("5.5", "a ping must not be fragmented", RawFrame(first: 0x09).bytes, fails: .fragmentedControl),
        .init("5.5", "a pong must not be fragmented", RawFrame(first: 0x0A).bytes, fails: .fragmentedControl),
        .init("5.5", "a close must not be fragmented", RawFrame(first: 0x08).bytes, fails: .fragmentedControl),
        .init("5.5.2", "a ping may be empty", RawFrame.ping(), gives: [.ping(ByteBuffer())]),
        .init("5.5.3", "an unsolicited pong is no error", RawFrame.pong([1, 2]), gives: [.pong(ByteBuffer(bytes: [1, 2]))]),
    ]

    private static let fragments: [RFC6455Rule] = [
        .init(
            "5.4", "fragments join in order", RawFrame.text("He", fin: false) + RawFrame.more("l", fin: false) + RawFrame.more("lo"),
            gives: [hello]),
        .init(
            "5.4", "the first of several fragments gives the type", RawFrame.binary([1], fin: false) + RawFrame.more([2]),
            gives: [.binary(ByteBuffer(bytes: [1, 2]))]),
        .init(
            "5.4", "empty fragments are fragments", RawFrame.text("", fin: false) + RawFrame.more("", fin: false) + RawFrame.more(""),
            gives: [.text(ByteBuffer())]),
        .init(
            "5.4", "control frames may come between fragments", RawFrame.text("He", fin: false) + RawFrame.ping([7]) + RawFrame.more("llo"),
            gives: [.ping(ByteBuffer(bytes: [7])), hello]),
        .init("5.4", "nothing to continue fails", RawFrame.more("x"), fails: .unexpectedContinuation),
        .init("5.4", "nothing to continue fails without FIN", RawFrame.more("x", fin: false), fails: .unexpectedContinuation),
        .init(
            "5.4", "a new text inside a message fails", RawFrame.text("a", fin: false) + RawFrame.text("b"), fails: .continuationExpected),
        .init(
            "5.4", "a new binary inside a message fails", RawFrame.binary([1], fin: false) + RawFrame.binary([2], fin: false),
            fails: .continuationExpected),
        .init("8.1", "text must be UTF-8", RawFrame.text([0x61, 0xFF]), fails: .invalidUTF8),
        .init("8.1", "a message must not end inside a character", RawFrame.text([0xE6, 0xB0]), fails: .invalidUTF8),
        .init(
            "8.1", "a character may span fragments",
            RawFrame.text([0xE6], fin: false) + RawFrame.more([0xB0], fin: false) + RawFrame.more([0xB4]),
            gives: [.text(ByteBuffer("水"))]),
        .init(
            "8.1", "a fragmented message must not end inside a character", RawFrame.text([0xE6], fin: false) + RawFrame.more([0xB0]),
            fails: .invalidUTF8),
        .init("5.6", "binary data is not examined", RawFrame.binary([0xFF, 0xC0]), gives: [.binary(ByteBuffer(bytes: [0xFF, 0xC0]))]),
    ]

    private static let closing: [RFC6455Rule] = [
        .init("5.5.1", "a close may be empty", RawFrame.close(), gives: [.close(code: nil, reason: "")]),
        .init("5.5.1", "one octet is no code", RawFrame.close([3]), fails: .truncatedCloseCode),
        .init("5.5.1", "a reason must be UTF-8", RawFrame.close(1000, [0xC3, 0x28]), fails: .invalidUTF8),
        .init("5.5.1", "a reason must not end inside a character", RawFrame.close(1000, [0xC3]), fails: .invalidUTF8),
        .init(
            "5.5.1", "frames after a close do not count", RawFrame.close(1001) + RawFrame.text("x") + [0xFF, 0xFF],
            gives: [.close(code: 1001, reason: "")]),
        .init(
            "5.4", "a close may interrupt a message", RawFrame.text("a", fin: false) + RawFrame.close(1000),
            gives: [.close(code: 1000, reason: "")]),
    ]
}

@Suite("RFC 6455, what a receiver must do")
struct RFC6455Tests {
    @Test("whole, octet by octet, chopped and shared", arguments: RFC6455Rule.all)
    func rule(_ rule: RFC6455Rule) {
        #expect(runEveryWay(rule.bytes, role: rule.role) == rule.outcome)
    }

    @Test("§5.2: every first octet is judged by FIN, RSV and opcode")
    func everyFirstOctet() {
        for first in UInt8.min...UInt8.max {
            let run = ParserRun(RawFrame(first: first).bytes)
            let opcode = first & 0x0F
            let expected: WebSocketFailure? =
                switch (first & 0x70, opcode, first & 0x80 != 0) {
                case (let rsv, _, _) where rsv & 0x30 != 0: .reservedBits
                case (0x40, _, _): .compressionNotNegotiated
                case (_, 3...7, _), (_, 11...15, _): .reservedOpcode(opcode)
                case (_, 8...10, false): .fragmentedControl
                case (_, 0, _): .unexpectedContinuation
                default: nil
                }
            if run.failure != expected { Issue.record("\(first): \(String(describing: run.failure))") }
        }
    }

    @Test("§7.4: every close code is taken or refused as §2.1 of the checklist says")
    func closeCodes() {
        for code in UInt16.min...UInt16.max {
            let valid = (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
            let run = ParserRun(RawFrame.close(code))
            let expected = valid ? ParserRun(events: [.close(code: code, reason: "")]) : ParserRun(failure: .invalidCloseCode(code))
            if run != expected { Issue.record("\(code)") }
        }
    }

    @Test("§2.2: each failure closes with the code of the reference")
    func closeCodeMap() {
        let protocolErrors: [WebSocketFailure] = [
            .compressionNotNegotiated, .reservedBits, .reservedOpcode(3), .fragmentedControl, .controlTooLong, .maskRequired,
            .maskForbidden,
            .unexpectedContinuation, .continuationExpected, .lengthNotMinimal, .truncatedCloseCode, .invalidCloseCode(999),
        ]
        for failure in protocolErrors { #expect(failure.closeCode == 1002) }
        #expect(WebSocketFailure.invalidUTF8.closeCode == 1007)
        #expect(WebSocketFailure.tooManyFragments.closeCode == 1008)
        #expect(WebSocketFailure.messageTooBig.closeCode == 1009)
    }

    @Test("after a failure everything is discarded and nothing fails again")
    func afterFailure() throws {
        var parser = WebSocketParser()
        var buffer = ByteBuffer(bytes: [0xFF, 0xFF] + RawFrame.text("x"))
        #expect(throws: WebSocketFailure.reservedBits) { try parser.next(&buffer) }
        #expect(parser.isFinished)
        buffer = ByteBuffer(bytes: RawFrame.text("y") + [0xFF, 0xFF])
        #expect(try parser.next(&buffer) == nil)
        #expect(buffer.readableBytes == 0)
    }
}
