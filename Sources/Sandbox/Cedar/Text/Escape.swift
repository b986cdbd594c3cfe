/// Writes strings and patterns as a policy spells them.
enum Escape {
    /// In quotes, with what is not visible escaped.
    static func quoted(_ text: ExactString) -> String {
        var result = "\""
        for scalar in text.string.unicodeScalars { append(scalar, to: &result) }
        return result + "\""
    }

    /// A pattern in quotes: `\*` is the star itself.
    static func quoted(_ pattern: Pattern) -> String {
        var result = "\""
        for element in pattern.elements {
            switch element {
            case .wildcard: result += "*"
            case .scalar("*"): result += "\\*"
            case .scalar(let scalar): append(scalar, to: &result)
            }
        }
        return result + "\""
    }

    private static func append(_ scalar: Unicode.Scalar, to result: inout String) {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case "\0": result += "\\0"
        default:
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .nonspacingMark, .enclosingMark:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
    }
}
