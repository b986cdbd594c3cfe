import NIOCore
import Testing

@testable import TransportWire

/// The situations of Autobahn's groups 1 to 7, as cases of our own.
@Suite("WebSocket parser: groups 1-7 of the Autobahn suite")
struct AutobahnGroupsTests {
    @Test("1.1: text of every length form, whole, octet-wise, in 997-octet pieces", arguments: [0, 1, 125, 126, 127, 128, 65_535, 65_536])
    func textLengths(length: Int) {
        let payload = [UInt8](repeating: 0x2A, count: length)
        #expect(runEveryWay(RawFrame.text(payload)).events == [.text(ByteBuffer(bytes: payload))])
    }

    @Test("1.2: binary of every length form", arguments: [0, 1, 125, 126, 127, 128, 65_535, 65_536])
    func binaryLengths(length: Int) {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(runEveryWay(RawFrame.binary(payload)).events == [.binary(ByteBuffer(bytes: payload))])
    }

    @Test("2: pings up to 125 octets, any octets, ten in order")
    func pings() {
        for payload in [[], Array("Hello".utf8), [0x00, 0xFF, 0xFE, 0xFD], [UInt8](repeating: 0xFE, count: 125)] {
            #expect(runEveryWay(RawFrame.ping(payload)).events == [.ping(ByteBuffer(bytes: payload))])
        }
        let ten = (0..<10).map { [UInt8($0)] }
        #expect(runEveryWay(ten.flatMap(RawFrame.ping)).events == ten.map { .ping(ByteBuffer(bytes: $0)) })
    }

    @Test("3: a reserved bit fails at once, after what came before it", arguments: [0x40, 0x20, 0x10, 0x60, 0x70] as [UInt8])
    func reservedBits(bits: UInt8) {
        for opcode: UInt8 in [0x1, 0x2, 0x8, 0x9] {
            let run = runEveryWay(RawFrame.text("before") + RawFrame(first: 0x80 | bits | opcode, payload: [0x61]).bytes + RawFrame.ping())
            #expect(run.events == [.text(ByteBuffer("before"))])
            #expect(run.failure?.closeCode == 1002)
        }
    }

    @Test("4: a reserved opcode fails at once, after what came before it", arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8])
    func reservedOpcodes(opcode: UInt8) {
        let run = runEveryWay(RawFrame.text("before") + RawFrame(first: 0x80 | opcode, payload: [1]).bytes)
        #expect(run == ParserRun(events: [.text(ByteBuffer("before"))], failure: .reservedOpcode(opcode)))
    }

    @Test("5: pings between five fragments come out before the message")
    func interleavedPings() {
        var bytes = RawFrame.text("fragment1", fin: false)
        for number in 2...4 { bytes += RawFrame.ping([UInt8(number)]) + RawFrame.more("fragment\(number)", fin: false) }
        bytes += RawFrame.ping([5]) + RawFrame.more("fragment5")
        let pings: [WebSocketEvent] = (2...5).map { .ping(ByteBuffer(bytes: [UInt8($0)])) }
        #expect(runEveryWay(bytes).events == pings + [.text(ByteBuffer("fragment1fragment2fragment3fragment4fragment5"))])
    }

    @Test("5: the parser is ready for the next message after a fragmented one")
    func messagesInARow() {
        let bytes =
            RawFrame.text("a", fin: false) + RawFrame.more("b") + RawFrame.binary([1], fin: false) + RawFrame.more([0xFF])
            + RawFrame.text("c")
        #expect(runEveryWay(bytes).events == [.text(ByteBuffer("ab")), .binary(ByteBuffer(bytes: [1, 0xFF])), .text(ByteBuffer("c"))])
    }

    @Test("5: a continuation after a finished message has nothing to continue")
    func continuationAfterEnd() {
        let run = runEveryWay(RawFrame.text("a", fin: false) + RawFrame.more("b") + RawFrame.more("c"))
        #expect(run == ParserRun(events: [.text(ByteBuffer("ab"))], failure: .unexpectedContinuation))
    }

    @Test(
        "6: valid text passes in one frame and in a frame for each octet",
        arguments: [
            "", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u{0}", "\u{7F}", "\u{80}", "\u{7FF}", "\u{800}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}",
            "\u{D7FF}\u{E000}\u{FFFD}",
            "\u{FFFE}\u{1FFFE}", String(decoding: [0xEF, 0xB7, 0x90] as [UInt8], as: UTF8.self),
        ])
    func validText(text: String) {
        let octets = [UInt8](text.utf8)
        #expect(runEveryWay(RawFrame.text(text)).events == [.text(ByteBuffer(text))])
        var frames = RawFrame.text([], fin: false)
        for octet in octets { frames += RawFrame.more([octet], fin: false) }
        #expect(runEveryWay(frames + RawFrame.more([])).events == [.text(ByteBuffer(text))])
    }

    private static let invalidText: [[UInt8]] = [
        [0xCE, 0xBA, 0xE1, 0xBD, 0xB9, 0xCF, 0x83, 0xCE, 0xBC, 0xCE, 0xB5, 0xED, 0xA0, 0x80, 0x65, 0x64], [0xC0, 0x80], [0xC1, 0xBF],
        [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
        [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80],
        [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
        [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xBF], [0xC3], [0xC3, 0x61],
        [0xE2, 0x82], [0xFE], [0xFF],
        [0x61, 0xCE, 0x62, 0xBA],
    ]

    @Test("6: invalid text fails in one frame and in a frame for each octet", arguments: invalidText)
    func invalid(octets: [UInt8]) {
        #expect(runEveryWay(RawFrame.text(octets)) == ParserRun(failure: .invalidUTF8))
        var frames: [UInt8] = RawFrame.text([], fin: false)
        for octet in octets { frames += RawFrame.more([octet], fin: false) }
        #expect(runEveryWay(frames + RawFrame.more([])) == ParserRun(failure: .invalidUTF8))
    }

    @Test("6.4: an invalid octet fails while its frame, or the rest of its message, is still to come")
    func failFast() {
        let start: [UInt8] = [0xCE, 0xBA, 0xE1, 0xBD, 0xB9, 0xCF, 0x83, 0xCE, 0xBC, 0xCE, 0xB5]
        // Fragments: the second is invalid, the third never comes.
        #expect(ParserRun(RawFrame.text(start, fin: false) + RawFrame.more([0xF4, 0x90], fin: false)).failure == .invalidUTF8)
        // One frame of which 13 octets have come: 0xF4 may stand, 0x90 after it may not.
        let frame = RawFrame.text(start + [0xF4, 0x90, 0x80, 0x80, 0x65, 0x64, 0x69, 0x74, 0x65, 0x64])
        let header = 6
        var parser = WebSocketParser()
        var buffer = ByteBuffer()
        for (index, octet) in frame.enumerated() {
            buffer.writeInteger(octet)
            let result = Result { () throws(WebSocketFailure) in try parser.next(&buffer) }
            if index < header + start.count + 1 {
                #expect(result == .success(nil))
            } else {
                #expect(result == .failure(.invalidUTF8))
                break
            }
        }
        #expect(parser.isFinished)
    }

    @Test("7: a reason of up to 123 octets passes and one of 124 fails")
    func reasonLengths() {
        let longest = [UInt8](repeating: 0x2A, count: 123)
        #expect(runEveryWay(RawFrame.close(1000, longest)).events == [.close(code: 1000, reason: String(repeating: "*", count: 123))])
        #expect(runEveryWay(RawFrame.close(1000, longest + [0x2A])).failure == .controlTooLong)
        #expect(runEveryWay(RawFrame.close(1000, Array("Hello World!".utf8))).events == [.close(code: 1000, reason: "Hello World!")])
    }

    @Test(
        "7: what follows a close is ignored, in the same read and in later ones",
        arguments: [
            RawFrame.text("late"), RawFrame.ping(), RawFrame.close(1000), RawFrame.text("a", fin: false), [0xFF, 0x00],
        ])
    func afterClose(bytes: [UInt8]) {
        #expect(
            runEveryWay(RawFrame.text("a", fin: false) + RawFrame.close(1000, []) + bytes)
                == ParserRun(events: [.close(code: 1000, reason: "")]))
    }
}
