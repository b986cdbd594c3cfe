/// Prints policies in one canonical layout. What is printed reads as what was given.
///
/// An expression that does not fit in its line is broken at its outermost joints first: the operators of a chain, the branches of
/// an `if`, the elements of a list. Brackets are kept only where they mean something, and `!(a == b)` becomes `a != b`.
public enum PolicyFormatter {
    /// The width of a line where it can be kept; a long string stays whole.
    public static let lineWidth = 100
    /// The blanks of one level.
    static let indentation = 2

    /// The text in the canonical layout. Comments before, between and after the policies are kept.
    ///
    /// - Throws: `ParseError` for a text that is not valid, and for one with a comment inside a policy: it would lose its place.
    public static func format(_ text: String) throws(ParseError) -> String {
        var parser = PolicyParser(reader: try TokenReader(text, keepsComments: true))
        let policies = try parser.all()
        var comments = CommentPlacer(parser.reader.lexer.comments)
        var result = ""
        for policy in policies {
            if !result.isEmpty { result += "\n" }
            result += comments.before(policy.range.start)
            try comments.refuse(until: policy.range.end)
            result += format(policy).dropLast() + comments.onLine(policy.range.end) + "\n"
        }
        let rest = comments.before(nil)
        return result.isEmpty || rest.isEmpty ? result + rest : result + "\n" + rest
    }

    /// Policies in the canonical layout, an empty line between them.
    public static func format(_ policies: [Policy]) -> String { policies.map(format).joined(separator: "\n") }

    private static func format(_ policy: Policy) -> String {
        var result = ""
        for annotation in policy.annotations {
            result += "@\(annotation.key)" + (annotation.value.isEmpty ? "" : "(\(Escape.quoted(annotation.value)))") + "\n"
        }
        result += head(policy)
        for condition in policy.conditions { result += "\n" + clause(condition) }
        return result + ";\n"
    }

    private static func head(_ policy: Policy) -> String {
        let effect = policy.effect.rawValue
        let parts = [policy.principal.text(of: "principal"), policy.action.text, policy.resource.text(of: "resource")]
        let short = "\(effect) (\(parts.joined(separator: ", ")))"
        guard short.unicodeScalars.count > lineWidth else { return short }
        let blank = String(repeating: " ", count: indentation)
        return "\(effect) (\n\(blank)\(parts.joined(separator: ",\n\(blank)"))\n)"
    }

    private static func clause(_ condition: Policy.Condition) -> String {
        let word = condition.kind.rawValue
        var printer = ExprPrinter(condition.body)
        if printer.width + word.utf8.count + 5 <= lineWidth { return "\(word) { \(printer.print(indent: 0, column: 0)) }" }
        let blank = String(repeating: " ", count: indentation)
        return "\(word) {\n\(blank)\(printer.print(indent: indentation, column: indentation))\n}"
    }
}

extension Policy.EntityReference {
    fileprivate var text: String {
        switch self {
        case .entity(let uid): uid.description
        case .slot(let slot): "?\(slot.rawValue)"
        }
    }
}

extension Policy.Scope {
    fileprivate func text(of variable: String) -> String {
        switch self {
        case .any: variable
        case .equal(let other): "\(variable) == \(other.text)"
        case .in(let other): "\(variable) in \(other.text)"
        case .isType(let type): "\(variable) is \(type)"
        case .isTypeIn(let type, let other): "\(variable) is \(type) in \(other.text)"
        }
    }
}

extension Policy.ActionScope {
    fileprivate var text: String {
        switch self {
        case .any: "action"
        case .equal(let uid): "action == \(uid)"
        case .in(let uid): "action in \(uid)"
        case .inList(let uids): "action in [\(uids.map(\.description).joined(separator: ", "))]"
        }
    }
}
