import Testing

@testable import Executor

@Suite("Output of a job")
struct OutputTests {
    @Test("output that fits is kept as it is")
    func small() {
        var keeper = OutputKeeper(kept: 1 << 20)
        keeper.append(Array("hello\n".utf8))
        keeper.append(Array("world".utf8))
        #expect(keeper.kept == KeptOutput(text: "hello\nworld", bytes: 11, isTruncated: false))
    }

    @Test("exactly what is kept is not truncated; one byte more is, and loses it from the middle")
    func edge() {
        let kept = SessionLimits.outputHead + 1_000
        var keeper = OutputKeeper(kept: kept)
        keeper.append([UInt8](repeating: 0x61, count: kept))
        #expect(!keeper.kept.isTruncated)
        #expect(keeper.kept.text.utf8.count == kept)
        keeper.append([0x62])
        #expect(keeper.kept.isTruncated)
        #expect(keeper.kept.bytes == Int64(kept) + 1)
        #expect(keeper.kept.text.hasSuffix("ab"))
        #expect(keeper.kept.text.contains("\n[1 bytes are not kept]\n"))
    }

    @Test("the head and the tail of much output are kept in chunks of any size", arguments: [1, 7, 4_096, 65_536, 300_000])
    func headAndTail(chunk: Int) {
        let kept = 70_000 + SessionLimits.outputHead
        var keeper = OutputKeeper(kept: kept)
        let all = (0..<600_000).map { UInt8(0x30 + $0 % 10) }
        for first in stride(from: 0, to: all.count, by: chunk) { keeper.append(Array(all[first..<min(first + chunk, all.count)])) }
        let head = String(decoding: all.prefix(SessionLimits.outputHead), as: UTF8.self)
        let tail = String(decoding: all.suffix(70_000), as: UTF8.self)
        #expect(keeper.kept.text == head + "\n[\(600_000 - kept) bytes are not kept]\n" + tail)
        #expect(keeper.kept.bytes == 600_000)
    }

    @Test("less than a head may be kept")
    func tiny() {
        var keeper = OutputKeeper(kept: 4)
        keeper.append(Array("abcdefgh".utf8))
        #expect(keeper.kept == KeptOutput(text: "abcd\n[4 bytes are not kept]\n", bytes: 8, isTruncated: true))
    }

    @Test("characters cut by chunks are whole in the live text", arguments: [1, 2, 3, 4, 5, 64])
    func repaired(chunk: Int) {
        let text = "plain äöü € 漢字 🦆 end"
        #expect(live(Array(text.utf8), chunk: chunk).joined() == text)
    }

    @Test("what is not UTF-8 becomes U+FFFD in any chunking, the rest stays", arguments: [1, 2, 3, 5, 64])
    func invalid(chunk: Int) {
        let bytes: [UInt8] =
            [0x61, 0xFF, 0x62, 0xC3, 0x28, 0xE2, 0x82, 0x63, 0xF0, 0x9F, 0xA6, 0x64, 0xC0, 0xAF, 0xED, 0xA0, 0x80, 0x80, 0x65, 0xF0, 0x9F]
        let whole = String(decoding: bytes, as: UTF8.self)
        let pieces = live(bytes, chunk: chunk)
        #expect(pieces.joined() == whole)
        #expect(whole.unicodeScalars.filter { $0 != "\u{FFFD}" }.map(String.init).joined() == "ab(cde")
    }

    @Test("NULs are replaced and escape sequences stay")
    func controls() {
        #expect(live(Array("a\0b\u{1B}[31mred".utf8), chunk: 2).joined() == "a\u{FFFD}b\u{1B}[31mred")
        var keeper = OutputKeeper(kept: 100)
        keeper.append([0, 0x41])
        #expect(keeper.kept.text == "\u{FFFD}A")
    }

    @Test("random bytes give the same text in any chunking")
    func random() {
        for _ in 0..<200 {
            let bytes = (0..<200).map { _ in UInt8.random(in: 0x70...0xFF) }
            let chunk = Int.random(in: 1...9)
            #expect(live(bytes, chunk: chunk).joined() == String(decoding: bytes, as: UTF8.self))
        }
    }

    private func live(_ bytes: [UInt8], chunk: Int) -> [String] {
        var repairer = TextRepairer()
        var pieces: [String] = []
        for first in stride(from: 0, to: bytes.count, by: chunk) {
            pieces.append(repairer.feed(Array(bytes[first..<min(first + chunk, bytes.count)])))
        }
        return pieces + [repairer.finish()]
    }
}
