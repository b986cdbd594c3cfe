/// Finds the value of the member `args` in the text of an object, by brackets and quotes alone.
///
/// A call whose arguments are no acceptable JSON is answered, not punished, so its id must be known without them: the caller
/// puts `null` in their place and parses the rest as strictly as ever. Nothing that this scan finds is believed.
/// It does not recurse, and is linear in the text.
struct ArgumentsRange {
    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// `bytes` with `null` for the arguments, or nil when there are none to be found.
    static func envelope(of bytes: [UInt8]) -> [UInt8]? {
        var scan = ArgumentsRange(bytes)
        guard let range = scan.find() else { return nil }
        return bytes[..<range.lowerBound] + Array("null".utf8) + bytes[range.upperBound...]
    }

    private mutating func find() -> Range<Int>? {
        skipSpace()
        guard take(UInt8(ascii: "{")) else { return nil }
        while true {
            skipSpace()
            let keyStart = position
            guard skipString() else { return nil }
            let isArguments = bytes[keyStart..<position].elementsEqual(#""args""#.utf8)
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return nil }
            skipSpace()
            let start = position
            guard skipValue() else { return nil }
            if isArguments { return start..<position }
            skipSpace()
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ wanted: UInt8) -> Bool {
        guard byte == wanted else { return false }
        position += 1
        return true
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private mutating func skipSpace() {
        while let byte, Self.isSpace(byte) { position += 1 }
    }

    private mutating func skipString() -> Bool {
        guard take(UInt8(ascii: "\"")) else { return false }
        while let byte {
            position += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return true }
        }
        return false
    }

    /// A string, a word such as `NaN`, or everything between brackets.
    private mutating func skipValue() -> Bool {
        var depth = 0
        let start = position
        while let byte {
            switch byte {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
                if depth == 0 { return true }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { return position > start }
                depth -= 1
                position += 1
                if depth == 0 { return true }
            case UInt8(ascii: ",") where depth == 0:
                return position > start
            default:
                if depth == 0, Self.isSpace(byte) { return position > start }
                position += 1
            }
        }
        return false
    }
}
