/// Keeps the head and the tail of a stream of any length in bounded memory.
struct OutputKeeper: Sendable {
    private let headMax: Int
    private let tailMax: Int
    private var head: [UInt8] = []
    /// Up to twice `tailMax`, so that dropping its front costs a byte's move per byte.
    private var tail: [UInt8] = []
    private(set) var count: Int64 = 0

    init(kept: Int) {
        headMax = min(SessionLimits.outputHead, kept)
        tailMax = kept - headMax
    }

    mutating func append(_ bytes: [UInt8]) {
        count += Int64(bytes.count)
        let forHead = min(headMax - head.count, bytes.count)
        head += bytes[..<forHead]
        tail += bytes[forHead...].suffix(tailMax)
        if tail.count > 2 * tailMax { tail.removeFirst(tail.count - tailMax) }
    }

    var kept: KeptOutput {
        let end = tail.suffix(tailMax)
        let missing = count - Int64(head.count + end.count)
        guard missing > 0 else {
            return KeptOutput(text: TextRepairer.text(of: head + end), bytes: count, isTruncated: false)
        }
        let text = TextRepairer.text(of: head) + "\n[\(missing) bytes are not kept]\n" + TextRepairer.text(of: Array(end))
        return KeptOutput(text: text, bytes: count, isTruncated: true)
    }
}

/// Turns chunks of any bytes into text: what is not UTF-8, and NUL, becomes U+FFFD; a character cut by a chunk's end waits for
/// the next chunk. The texts together are those of the bytes together.
struct TextRepairer: Sendable {
    /// At most three bytes.
    private var carry: [UInt8] = []

    mutating func feed(_ bytes: [UInt8]) -> String {
        var whole = carry + bytes
        let open = Self.openTail(of: whole)
        carry = Array(whole.suffix(open))
        whole.removeLast(open)
        return Self.text(of: whole)
    }

    /// What is left when the stream ends.
    mutating func finish() -> String {
        defer { carry = [] }
        return Self.text(of: carry)
    }

    /// PostgreSQL's text cannot hold NUL, and a terminal or an editor may stop at one.
    static func text(of bytes: [UInt8]) -> String {
        guard bytes.contains(0) else { return String(decoding: bytes, as: UTF8.self) }
        var clean: [UInt8] = []
        clean.reserveCapacity(bytes.count + 64)
        for byte in bytes {
            if byte == 0 { clean += [0xEF, 0xBF, 0xBD] } else { clean.append(byte) }
        }
        return String(decoding: clean, as: UTF8.self)
    }

    /// How many bytes at the end may be the beginning of a character.
    private static func openTail(of bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            switch byte {
            case 0x80...0xBF: continue
            case 0xC2...0xDF: return back < 2 ? back : 0
            case 0xE0...0xEF: return back < 3 ? back : 0
            case 0xF0...0xF4: return back < 4 ? back : 0
            default: return 0
            }
        }
        return 0
    }
}
