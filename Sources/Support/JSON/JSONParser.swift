/// A strict RFC 8259 parser over bytes that somebody else keeps alive.
///
/// Recursion is bounded by ``JSONLimits/depth``. Cost is linear in the text, but for the duplicate-key search that
/// ``JSONLimits/members`` bounds. Lone surrogate escapes, which Swift strings cannot hold, become U+FFFD, unless the
/// parser is strict (``StrictJSONLimits``).
struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    private let limits: JSONLimits
    /// Further rules, for texts that decisions are made about; nil for everything else.
    private let strict: StrictJSONLimits?
    private var position = 0
    private var nodes = 0

    init(_ bytes: UnsafeRawBufferPointer, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
        strict = nil
    }

    init(_ bytes: UnsafeRawBufferPointer, strict: StrictJSONLimits) {
        self.bytes = bytes
        limits = JSONLimits(depth: strict.depth, members: strict.nodes)
        self.strict = strict
    }

    mutating func parseDocument() throws(JSONError) -> JSONValue {
        if strict != nil, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw error(.byteOrderMark) }
        let value = try parseValue(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw error(.trailingBytes) }
        return value
    }

    private func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: position) }

    private func error(_ reason: JSONError.Reason, at offset: Int) -> JSONError { JSONError(reason: reason, offset: offset) }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
        skipSpace()
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        if let strict {
            guard nodes < strict.nodes else { throw error(.tooManyNodes) }
            nodes += 1
        }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "{"): return try parseObject(depth: depth + 1)
        case UInt8(ascii: "["): return try parseArray(depth: depth + 1)
        case UInt8(ascii: "t"): return try parseLiteral("true", .bool(true))
        case UInt8(ascii: "f"): return try parseLiteral("false", .bool(false))
        case UInt8(ascii: "n"): return try parseLiteral("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        default: throw error(.unexpectedByte)
        }
    }

    private mutating func parseLiteral(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count else { throw error(.unexpectedEnd) }
        for index in 0..<count where bytes[position + index] != word.utf8Start[index] { throw error(.unexpectedByte) }
        position += count
        return value
    }

    private mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depth else { throw error(.tooDeep) }
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if peek() == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try parseValue(depth: depth))
            if try closesList(with: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    private mutating func parseObject(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depth else { throw error(.tooDeep) }
        position += 1
        var object = JSONObject()
        var keys = SeenKeys()
        skipSpace()
        if peek() == UInt8(ascii: "}") {
            position += 1
            return .object(object)
        }
        while true {
            skipSpace()
            guard let quote = peek() else { throw error(.unexpectedEnd) }
            guard quote == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
            let keyStart = position
            let key = try parseString()
            if let strict {
                guard key.utf8.count <= strict.keyBytes else { throw error(.keyTooLong, at: keyStart) }
                guard keys.insert(key, into: object) else { throw error(.duplicateKey, at: keyStart) }
            }
            skipSpace()
            guard let colon = peek() else { throw error(.unexpectedEnd) }
            guard colon == UInt8(ascii: ":") else { throw error(.unexpectedByte) }
            position += 1
            let value = try parseValue(depth: depth)
            if strict != nil { object.appendUnchecked(key, value) } else { object[key] = value }
            guard object.count <= limits.members else { throw error(.tooManyMembers) }
            if try closesList(with: UInt8(ascii: "}")) { return .object(object) }
        }
    }

    /// After an element: true at the closing byte, false at a comma.
    private mutating func closesList(with close: UInt8) throws(JSONError) -> Bool {
        skipSpace()
        guard let byte = peek() else { throw error(.unexpectedEnd) }
        guard byte == close || byte == UInt8(ascii: ",") else { throw error(.unexpectedByte) }
        position += 1
        return byte == close
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = peek(), byte &- 0x30 < 10 { position += 1 }
        return position - start
    }

    private mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        var isInteger = true
        if peek() == UInt8(ascii: "-") { position += 1 }
        let leading = peek()
        let digits = skipDigits()
        guard digits > 0, digits == 1 || leading != UInt8(ascii: "0") else { throw error(.invalidNumber) }
        if peek() == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard skipDigits() > 0 else { throw error(.invalidNumber) }
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() > 0 else { throw error(.invalidNumber) }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if let strict, let reason = strict.refusal(ofNumber: bytes[start..<position], isInteger: isInteger) {
            throw error(reason, at: start)
        }
        // "-0" is kept as text: as an integer it would lose its sign.
        if isInteger, text != "-0", let value = Int64(text) { return .integer(value) }
        return .number(text)
    }

    private mutating func parseString() throws(JSONError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let text = try utf8(start..<position)
                position += 1
                return text
            case UInt8(ascii: "\\"):
                return try parseEscapedString(from: start)
            case 0..<0x20:
                throw error(.controlCharacter)
            default:
                position += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private func utf8(_ range: Range<Int>) throws(JSONError) -> String {
        guard let text = String(validating: bytes[range], as: UTF8.self) else { throw error(.invalidUTF8) }
        return text
    }

    /// The slow path, from the first backslash on.
    private mutating func parseEscapedString(from start: Int) throws(JSONError) -> String {
        var unescaped = [UInt8](bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: unescaped, as: UTF8.self) else { throw error(.invalidUTF8) }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                position += 1
                try parseEscape(into: &unescaped)
            case 0..<0x20:
                throw error(.controlCharacter)
            default:
                unescaped.append(byte)
                position += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private mutating func parseEscape(into output: inout [UInt8]) throws(JSONError) {
        guard let byte = peek() else { throw error(.unexpectedEnd) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(byte)
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = try parseUnicodeEscape()
            if strict != nil, scalar == "\0" { throw error(.nulInString, at: position - 6) }
            output.append(contentsOf: String(scalar).utf8)
        default:
            position -= 1
            throw error(.invalidEscape)
        }
    }

    private mutating func parseUnicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let start = position - 2
        let first = try parseHex4()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first & 0xFC00 == 0xD800 else { return try loneSurrogate(at: start) }
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
        else { return try loneSurrogate(at: start) }
        let mark = position
        position += 2
        let second = try parseHex4()
        guard second & 0xFC00 == 0xDC00 else {
            position = mark
            return try loneSurrogate(at: start)
        }
        return Unicode.Scalar(0x10000 + ((first & 0x3FF) << 10 | second & 0x3FF)) ?? "\u{FFFD}"
    }

    private func loneSurrogate(at offset: Int) throws(JSONError) -> Unicode.Scalar {
        guard strict == nil else { throw error(.loneSurrogate, at: offset) }
        return "\u{FFFD}"
    }

    private mutating func parseHex4() throws(JSONError) -> UInt32 {
        guard bytes.count - position >= 4 else { throw error(.unexpectedEnd) }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else { throw error(.invalidEscape) }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

extension JSONValue {
    /// Parses a whole JSON text.
    ///
    /// - Throws: ``JSONError`` with the offending byte; nothing is kept of a text that fails.
    public init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        var parser = JSONParser(bytes, limits: limits)
        self = try parser.parseDocument()
    }

    /// Parses a whole JSON text.
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let result = bytes.withUnsafeBytes { raw in
            Result { () throws(JSONError) in try JSONValue(parsing: raw, limits: limits) }
        }
        self = try result.get()
    }

    /// Parses a whole JSON text.
    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: [UInt8](text.utf8), limits: limits)
    }
}
