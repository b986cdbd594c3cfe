/// Cuts a source text into tokens, one at a time.
///
/// A copy is a bookmark: reading on in the copy looks ahead. Shared by the policy and the schema language.
struct Lexer {
    private let source: [UInt8]
    private var index = 0
    private var line: Int32 = 1
    private var column: Int32 = 1
    /// The comments that were passed, if they are wanted: the formatter's.
    private(set) var comments: [Token] = []
    var keepsComments = false

    init(_ text: String) throws(ParseError) {
        guard text.utf8.count <= SyntaxLimits.sourceBytes else {
            let place = SourceRange(start: .start, end: .start)
            throw ParseError("the text is longer than \(SyntaxLimits.sourceBytes) bytes", at: place)
        }
        source = Array(text.utf8)
    }

    private var position: SourcePosition { SourcePosition(offset: Int32(index), line: line, column: column) }

    mutating func next() throws(ParseError) -> Token {
        try skipBlank()
        let start = position
        guard index < source.count else { return Token(kind: .end, range: SourceRange(start: start, end: start), bytes: []) }
        let byte = source[index]
        if Self.startsIdentifier(byte) { return identifier(from: start) }
        if Self.isDigit(byte) { return run(.number, from: start, while: Self.isDigit) }
        if byte == UInt8(ascii: "\"") { return try string(from: start) }
        if byte == UInt8(ascii: "?"), index + 1 < source.count, Self.startsIdentifier(source[index + 1]) {
            advance(1)
            return run(.slot, from: start, while: Self.continuesIdentifier)
        }
        return try symbol(from: start)
    }

    // MARK: - Kinds of tokens

    private mutating func identifier(from start: SourcePosition) -> Token {
        run(.identifier, from: start, while: Self.continuesIdentifier)
    }

    private mutating func run(_ kind: Token.Kind, from start: SourcePosition, while belongs: (UInt8) -> Bool) -> Token {
        let first = index
        while index < source.count, belongs(source[index]) { advance(1) }
        return Token(kind: kind, range: SourceRange(start: start, end: position), bytes: source[first..<index])
    }

    private mutating func string(from start: SourcePosition) throws(ParseError) -> Token {
        advance(1)
        let first = index
        while index < source.count {
            switch source[index] {
            case UInt8(ascii: "\""):
                let bytes = source[first..<index]
                advance(1)
                return Token(kind: .string, range: SourceRange(start: start, end: position), bytes: bytes)
            case UInt8(ascii: "\r"):
                throw ParseError("a string may not hold a bare carriage return; write `\\r`", at: here())
            case UInt8(ascii: "\\") where index + 1 < source.count && source[index + 1] != UInt8(ascii: "\r"):
                advance(1)
                passScalar()
            default:
                passScalar()
            }
        }
        throw ParseError("this string has no closing quote", at: SourceRange(start: start, end: position))
    }

    private mutating func symbol(from start: SourcePosition) throws(ParseError) -> Token {
        let first = index
        let byte = source[index]
        let second = index + 1 < source.count ? source[index + 1] : 0
        if let pair = Self.pair(byte, second) {
            advance(2)
            return Token(kind: .symbol(pair), range: SourceRange(start: start, end: position), bytes: source[first..<index])
        }
        guard let single = Token.Symbol(rawValue: String(decoding: CollectionOfOne(byte), as: UTF8.self)) else {
            let scalar = scalar()
            passScalar()
            let code = String(scalar.value, radix: 16, uppercase: true)
            let name = (0x21..<0x7F).contains(scalar.value) ? "`\(scalar)`" : "the character U+\(code)"
            let hint =
                switch scalar {
                case "'": "; strings stand in double quotes"
                case "&", "|": "; write `\(scalar)\(scalar)`"
                default: ""
                }
            throw ParseError("\(name) is not part of the language\(hint)", at: SourceRange(start: start, end: position))
        }
        advance(1)
        return Token(kind: .symbol(single), range: SourceRange(start: start, end: position), bytes: source[first..<index])
    }

    private static func pair(_ first: UInt8, _ second: UInt8) -> Token.Symbol? {
        switch (first, second) {
        case (UInt8(ascii: ":"), UInt8(ascii: ":")): .doubleColon
        case (UInt8(ascii: "="), UInt8(ascii: "=")): .equal
        case (UInt8(ascii: "!"), UInt8(ascii: "=")): .notEqual
        case (UInt8(ascii: "<"), UInt8(ascii: "=")): .lessOrEqual
        case (UInt8(ascii: ">"), UInt8(ascii: "=")): .greaterOrEqual
        case (UInt8(ascii: "&"), UInt8(ascii: "&")): .and
        case (UInt8(ascii: "|"), UInt8(ascii: "|")): .or
        default: nil
        }
    }

    // MARK: - Blank space

    private mutating func skipBlank() throws(ParseError) {
        while index < source.count {
            let byte = source[index]
            if byte == UInt8(ascii: "/"), index + 1 < source.count, source[index + 1] == UInt8(ascii: "/") {
                let (start, first) = (position, index)
                while index < source.count, source[index] != UInt8(ascii: "\n"), source[index] != UInt8(ascii: "\r") { passScalar() }
                if keepsComments {
                    let range = SourceRange(start: start, end: position)
                    comments.append(Token(kind: .comment, range: range, bytes: source[first..<index]))
                }
            } else if byte < 0x80 ? (byte == 0x20 || (0x09...0x0D).contains(byte)) : scalar().properties.isWhitespace {
                passScalar()
            } else {
                return
            }
        }
    }

    // MARK: - Steps

    private func here() -> SourceRange { SourceRange(start: position, end: position) }

    /// Steps over bytes of ASCII that are no line feed.
    private mutating func advance(_ count: Int) {
        index += count
        column += Int32(count)
    }

    private mutating func passScalar() {
        let byte = source[index]
        index += min(Self.width(byte), source.count - index)
        if byte == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else {
            column += 1
        }
    }

    private func scalar() -> Unicode.Scalar {
        let end = min(index + Self.width(source[index]), source.count)
        return String(decoding: source[index..<end], as: UTF8.self).unicodeScalars.first ?? "\u{FFFD}"
    }

    /// The source is valid UTF-8, so the first byte tells the width.
    private static func width(_ byte: UInt8) -> Int { byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4 }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    static func startsIdentifier(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_") }
    static func continuesIdentifier(_ byte: UInt8) -> Bool { startsIdentifier(byte) || isDigit(byte) }
}
