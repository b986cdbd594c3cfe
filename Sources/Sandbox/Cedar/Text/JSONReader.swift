/// Reads JSON (RFC 8259) into `JSONTree`, strictly.
struct JSONReader {
    private let source: [UInt8]
    private var index = 0

    static func parse(_ text: String) throws(DataError) -> JSONTree {
        guard text.utf8.count <= JSONLimits.bytes else { throw DataError("the JSON is longer than \(JSONLimits.bytes) bytes") }
        var reader = JSONReader(source: Array(text.utf8))
        let tree = try reader.value(depth: 0)
        reader.skipBlank()
        guard reader.index == reader.source.count else { throw reader.fault("text after the end of the JSON") }
        return tree
    }

    private init(source: [UInt8]) { self.source = source }

    private var byte: UInt8? { index < source.count ? source[index] : nil }

    private func fault(_ message: String) -> DataError {
        let line = 1 + source[..<index].count { $0 == UInt8(ascii: "\n") }
        return DataError("the JSON is malformed in line \(line): \(message)")
    }

    private mutating func skipBlank() {
        while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte, UInt32(byte) == character.value else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(DataError) -> JSONTree {
        skipBlank()
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONTree) throws(DataError) -> JSONTree {
        let count = word.utf8CodeUnitCount
        guard index + count <= source.count, word.withUTF8Buffer({ $0.elementsEqual(source[index..<(index + count)]) }) else {
            throw fault("expected a value")
        }
        index += count
        return value
    }

    private mutating func array(depth: Int) throws(DataError) -> JSONTree {
        guard depth < JSONLimits.depth else { throw fault("nested more than \(JSONLimits.depth) levels deep") }
        index += 1
        var elements: [JSONTree] = []
        skipBlank()
        if take("]") { return .array([]) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipBlank()
            if take("]") { return .array(elements) }
            guard take(",") else { throw fault("expected `,` or `]`") }
        }
    }

    private mutating func object(depth: Int) throws(DataError) -> JSONTree {
        guard depth < JSONLimits.depth else { throw fault("nested more than \(JSONLimits.depth) levels deep") }
        index += 1
        var members: [JSONTree.Member] = []
        skipBlank()
        if take("}") { return .object([]) }
        while true {
            skipBlank()
            guard byte == UInt8(ascii: "\"") else { throw fault("expected a key") }
            let key = try string()
            skipBlank()
            guard take(":") else { throw fault("expected `:`") }
            members.append(JSONTree.Member(key: key, value: try value(depth: depth + 1)))
            skipBlank()
            if take("}") { return .object(members) }
            guard take(",") else { throw fault("expected `,` or `}`") }
        }
    }

    // MARK: - Numbers

    private mutating func number() throws(DataError) -> JSONTree {
        let start = index
        let isNegative = take("-")
        let first = index
        while let byte, Lexer.isDigit(byte) { index += 1 }
        let digits = source[first..<index]
        guard let lead = digits.first, lead != UInt8(ascii: "0") || digits.count == 1 else { throw fault("expected a value") }
        var isWhole = true
        if take(".") {
            isWhole = false
            try skipDigits()
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            try skipDigits()
        }
        // `-0` is not a whole number: as one it would lose its sign.
        if isWhole, !(isNegative && lead == UInt8(ascii: "0")), let value = DigitRun.value(of: digits, negative: isNegative) {
            return .integer(value)
        }
        return .number(ExactString(utf8: source[start..<index]))
    }

    private mutating func skipDigits() throws(DataError) {
        let start = index
        while let byte, Lexer.isDigit(byte) { index += 1 }
        guard index > start else { throw fault("expected a digit") }
    }

    // MARK: - Strings

    private mutating func string() throws(DataError) -> ExactString {
        index += 1
        var bytes: [UInt8] = []
        var start = index
        while let byte {
            switch byte {
            case UInt8(ascii: "\""):
                let tail = source[start..<index]
                index += 1
                if bytes.isEmpty { return ExactString(utf8: tail) }
                return ExactString(utf8: bytes + tail)
            case UInt8(ascii: "\\"):
                bytes += source[start..<index]
                index += 1
                bytes += try escape()
                start = index
            case 0..<0x20:
                throw fault("a control character in a string")
            default:
                index += 1
            }
        }
        throw fault("a string without its closing quote")
    }

    private mutating func escape() throws(DataError) -> [UInt8] {
        guard let kind = byte else { throw fault("an escape without a character") }
        index += 1
        switch kind {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [kind]
        case UInt8(ascii: "u"):
            let first = try codeUnit()
            var value = first
            if (0xD800..<0xDC00).contains(first) {
                guard take("\\"), take("u") else { throw fault("half of a surrogate pair") }
                let second = try codeUnit()
                guard (0xDC00..<0xE000).contains(second) else { throw fault("half of a surrogate pair") }
                value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw fault("half of a surrogate pair") }
            return Array(String(Character(scalar)).utf8)
        default:
            throw fault("an unknown escape")
        }
    }

    private mutating func codeUnit() throws(DataError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte, byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fault("`\\u` needs four hexadecimal digits")
            }
            value = value * 16 + UInt32(digit)
            index += 1
        }
        return value
    }
}
