extension PolicyParser {
    /// The three scopes in parentheses.
    mutating func scope(into parts: inout Policy.Parts) throws(ParseError) {
        try reader.expect(.leftParenthesis, "after `\(parts.effect.rawValue)`")
        (parts.principal, parts.principalRange) = try entityScope(.principal)
        try reader.expect(.comma, "after the principal; a scope is `(principal, action, resource)`")
        (parts.action, parts.actionRange) = try actionScope()
        try reader.expect(.comma, "after the action; a scope is `(principal, action, resource)`")
        (parts.resource, parts.resourceRange) = try entityScope(.resource)
        _ = try reader.take(.comma)
        try reader.expect(.rightParenthesis, "after the resource; further demands belong into a `when`")
    }

    private mutating func variable(_ variable: Expr.Variable) throws(ParseError) -> SourcePosition {
        guard reader.token.kind == .identifier, reader.token.text.string == variable.rawValue else {
            throw reader.unexpected("expected `\(variable.rawValue)`; a scope is `(principal, action, resource)`")
        }
        return try reader.advance().range.start
    }

    private mutating func entityScope(_ slot: Expr.Slot) throws(ParseError) -> (Policy.Scope, SourceRange) {
        let start = try variable(slot == .principal ? .principal : .resource)
        let scope: Policy.Scope
        if try reader.take(.equal) {
            scope = .equal(try reference(slot))
        } else if try reader.take(word: "in") {
            scope = .in(try reference(slot))
        } else if try reader.take(word: "is") {
            let type = try reader.path("of an entity type after `is`")
            scope = try reader.take(word: "in") ? .isTypeIn(type, try reference(slot)) : .isType(type)
        } else {
            scope = .any
        }
        return (scope, SourceRange(start: start, end: reader.lastEnd))
    }

    private mutating func actionScope() throws(ParseError) -> (Policy.ActionScope, SourceRange) {
        let start = try variable(.action)
        let scope: Policy.ActionScope
        if try reader.take(.equal) {
            scope = .equal(try action())
        } else if try reader.take(word: "in") {
            scope = reader.token.isSymbol(.leftBracket) ? .inList(try actionList()) : .in(try action())
        } else {
            scope = .any
        }
        return (scope, SourceRange(start: start, end: reader.lastEnd))
    }

    private mutating func actionList() throws(ParseError) -> [EntityUID] {
        try reader.advance()
        var actions: [EntityUID] = []
        while try !reader.take(.rightBracket) {
            actions.append(try action())
            if try !reader.take(.comma), !reader.token.isSymbol(.rightBracket) {
                throw reader.unexpected("expected `,` or `]` after an action")
            }
        }
        return actions
    }

    private mutating func action() throws(ParseError) -> EntityUID {
        let start = reader.token.range.start
        guard case .entity(let uid) = try reference(nil) else { throw reader.unexpected("an action cannot be a slot") }
        guard uid.type.isAction else {
            throw ParseError(
                "`\(uid)` is not an action; its type must be `Action` or end in `::Action`",
                at: SourceRange(start: start, end: reader.lastEnd))
        }
        return uid
    }

    /// An entity or the slot of the variable, in any number of parentheses.
    private mutating func reference(_ slot: Expr.Slot?) throws(ParseError) -> Policy.EntityReference {
        var open = 0
        while try reader.take(.leftParenthesis) { open += 1 }
        let reference: Policy.EntityReference
        if reader.token.kind == .slot {
            guard let slot, reader.token.text.string == slot.rawValue else {
                let expectation = slot.map { "the slot here is `?\($0.rawValue)`" } ?? "an action cannot be a slot"
                throw ParseError(expectation, at: reader.token.range)
            }
            try reader.advance()
            reference = .slot(slot)
        } else {
            let type = try reader.path("of an entity type; a scope compares with an entity such as `User::\"alice\"`")
            if !reader.token.isSymbol(.doubleColon), let parent = type.namespace {
                throw reader.unexpected("the id of an entity is a string: `\(parent)::\(Escape.quoted(type.basename))`")
            }
            try reader.expect(.doubleColon, "and an id after the entity type `\(type)`")
            reference = .entity(EntityUID(type: type, id: try reader.string("as the id of the entity after `::`")))
        }
        for _ in 0..<open { try reader.expect(.rightParenthesis, "to close the parenthesis") }
        return reference
    }
}
