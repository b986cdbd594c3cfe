/// Reads the escapes of strings and patterns.
enum Unescape {
    /// The text that the bytes between two quotes stand for.
    static func string(_ token: Token) throws(ParseError) -> ExactString {
        guard token.bytes.contains(UInt8(ascii: "\\")) else { return token.text }
        var result = String.UnicodeScalarView()
        try scan(token) { scalar, _ in result.append(scalar) }
        return ExactString(String(result))
    }

    /// The pattern that the bytes between two quotes stand for.
    ///
    /// A star is a wildcard however it is spelled, `\u{2a}` too; only `\*` is the star itself.
    static func pattern(_ token: Token) throws(ParseError) -> Pattern {
        var elements: [Pattern.Element] = []
        try scan(token, allowsStar: true) { scalar, isLiteralStar in
            elements.append(scalar == "*" && !isLiteralStar ? .wildcard : .scalar(scalar))
        }
        return Pattern(elements)
    }

    private static func scan(_ token: Token, allowsStar: Bool = false, _ take: (Unicode.Scalar, Bool) -> Void) throws(ParseError) {
        let scalars = Array(token.text.string.unicodeScalars)
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            guard scalar == "\\" else {
                take(scalar, false)
                continue
            }
            guard index < scalars.count else { throw ParseError("a backslash needs a character after it", at: token.range) }
            let kind = scalars[index]
            index += 1
            switch kind {
            case "n": take("\n", false)
            case "r": take("\r", false)
            case "t": take("\t", false)
            case "\\": take("\\", false)
            case "0": take("\0", false)
            case "'": take("'", false)
            case "\"": take("\"", false)
            case "x": take(try hexadecimal(scalars, &index, token), false)
            case "u": take(try braced(scalars, &index, token), false)
            case "*" where allowsStar: take("*", true)
            default:
                throw ParseError("`\\\(kind)` is not an escape; known are \\n \\r \\t \\\\ \\0 \\' \\\" \\xHH \\u{H}", at: token.range)
            }
        }
    }

    /// Two hexadecimal digits, of ASCII only.
    private static func hexadecimal(_ scalars: [Unicode.Scalar], _ index: inout Int, _ token: Token) throws(ParseError) -> Unicode.Scalar {
        guard index + 1 < scalars.count, let high = digit(scalars[index]), let low = digit(scalars[index + 1]), high < 8 else {
            throw ParseError("`\\x` needs two hexadecimal digits, 7F at most", at: token.range)
        }
        index += 2
        return Unicode.Scalar(UInt8(high * 16 + low))
    }

    /// One to six hexadecimal digits in braces; underscores may stand after the first.
    private static func braced(_ scalars: [Unicode.Scalar], _ index: inout Int, _ token: Token) throws(ParseError) -> Unicode.Scalar {
        let complaint = ParseError("`\\u` needs a Unicode scalar in braces, for example `\\u{e9}`", at: token.range)
        guard index < scalars.count, scalars[index] == "{" else { throw complaint }
        index += 1
        var value: UInt32 = 0
        var digits = 0
        while index < scalars.count, scalars[index] != "}" {
            if scalars[index] == "_", digits > 0 {
                index += 1
                continue
            }
            guard let next = digit(scalars[index]), digits < 6 else { throw complaint }
            value = value * 16 + next
            digits += 1
            index += 1
        }
        guard index < scalars.count, digits > 0, let scalar = Unicode.Scalar(value) else { throw complaint }
        index += 1
        return scalar
    }

    private static func digit(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "0"..."9": scalar.value - 0x30
        case "a"..."f": scalar.value - 0x61 + 10
        case "A"..."F": scalar.value - 0x41 + 10
        default: nil
        }
    }
}
