/// How a node is written: words, children, and the places where a line may end.
enum Piece {
    case text(String)
    /// A child; in brackets if it binds less tightly than this.
    case child(Int, ExprParser.Level)
    /// A blank, or the end of a line.
    case line
    /// Nothing, or the end of a line.
    case softLine
    case indent
    case dedent
}

extension Expr {
    /// How tightly the written form binds.
    var writtenLevel: ExprParser.Level {
        switch kind {
        case .literal(.long(let value)) where value < 0: .unary
        case .literal, .variable, .slot, .attribute, .set, .record, .call, .unary(.isEmpty): .member
        case .unary: negatedOperator == nil ? .unary : .relation
        case .binary(.multiply): .product
        case .binary(.add), .binary(.subtract): .sum
        case .binary(let operation): operation.isMethod ? .member : .relation
        case .isType, .isTypeIn, .has, .like: .relation
        case .and: .conjunction
        case .or: .disjunction
        case .conditional: .expression
        }
    }

    /// The operator that stands for the negation of a comparison.
    private var negatedOperator: String? {
        guard kind == .unary(.not), nodes.count > 1 else { return nil }
        switch nodes[nodes.endIndex - 2].kind {
        case .binary(.equal): return "!="
        case .binary(.less): return ">="
        case .binary(.lessOrEqual): return ">"
        default: return nil
        }
    }

    /// The children that the pieces number: those of the comparison, where its negation is one operator.
    var writtenChildren: [Expr] {
        guard negatedOperator != nil, let comparison = children.first else { return children }
        return comparison.children
    }

    /// How the root is written.
    var pieces: [Piece] {
        switch kind {
        case .literal(let literal): return [.text(literal.text)]
        case .variable(let variable): return [.text(variable.rawValue)]
        case .slot(let slot): return [.text("?\(slot.rawValue)")]
        case .and(let count): return chain(count, " &&", .relation)
        case .or(let count): return chain(count, " ||", .conjunction)
        case .conditional:
            return [
                .text("if "), .child(0, .expression), .line, .text("then "), .child(1, .expression), .line, .text("else "),
                .child(2, .expression),
            ]
        case .unary(let operation): return unary(operation)
        case .binary(let operation): return binary(operation)
        case .isType(let type): return [.child(0, .sum), .text(" is \(type)")]
        case .isTypeIn(let type): return [.child(0, .sum), .text(" is \(type) in "), .child(1, .sum)]
        case .has(let path):
            let name = path.count == 1 ? path[0].writtenKey : path.map(\.string).joined(separator: ".")
            return [.child(0, .sum), .text(" has \(name)")]
        case .attribute(let name):
            return [.child(0, .member), .text(name.isWrittenBare ? ".\(name)" : "[\(Escape.quoted(name))]")]
        case .like(let pattern): return [.child(0, .sum), .text(" like \(Escape.quoted(pattern))")]
        case .set(let count): return list("[", (0..<count).map { [.child($0, .expression)] }, "]")
        case .record(let keys):
            let members = keys.enumerated().map { [Piece.text("\($1.writtenKey): "), .child($0, .expression)] }
            return list("{", members, "}")
        case .call(let function, let count):
            if function.isConstructor { return list("\(function.rawValue)(", (0..<count).map { [.child($0, .expression)] }, ")") }
            return [.child(0, .member)] + list(".\(function.rawValue)(", (1..<max(count, 1)).map { [.child($0, .expression)] }, ")")
        }
    }

    private func unary(_ operation: UnaryOperator) -> [Piece] {
        switch operation {
        case .isEmpty: return [.child(0, .member), .text(".isEmpty()")]
        case .not:
            if let comparison = negatedOperator { return [.child(0, .sum), .text(" \(comparison) "), .child(1, .sum)] }
            return [.text("!"), .child(0, .member)]
        case .negate:
            // A minus before a bare number would become part of it.
            if case .literal(.long)? = children.first?.kind { return [.text("-("), .child(0, .expression), .text(")")] }
            return [.text("-"), .child(0, .member)]
        }
    }

    private func binary(_ operation: BinaryOperator) -> [Piece] {
        switch operation {
        case .multiply: return [.child(0, .product), .text(" * "), .child(1, .unary)]
        case .add, .subtract: return [.child(0, .sum), .text(" \(operation.rawValue) "), .child(1, .product)]
        case .contains, .containsAll, .containsAny, .hasTag, .getTag:
            return [.child(0, .member)] + list(".\(operation.rawValue)(", [[.child(1, .expression)]], ")")
        case .equal, .less, .lessOrEqual, .in: return [.child(0, .sum), .text(" \(operation.rawValue) "), .child(1, .sum)]
        }
    }

    private func chain(_ count: Int, _ operation: String, _ level: ExprParser.Level) -> [Piece] {
        (0..<count).flatMap { index -> [Piece] in
            index == 0 ? [.child(index, level)] : [.text(operation), .line, .child(index, level)]
        }
    }

    private func list(_ open: String, _ elements: [[Piece]], _ close: String) -> [Piece] {
        if elements.isEmpty { return [.text(open + close)] }
        var pieces: [Piece] = [.text(open), .indent, .softLine]
        for (index, element) in elements.enumerated() {
            pieces += element
            if index < elements.count - 1 { pieces += [.text(","), .line] }
        }
        return pieces + [.dedent, .softLine, .text(close)]
    }
}

extension Expr.Literal {
    fileprivate var text: String {
        switch self {
        case .bool(let value): String(value)
        case .long(let value): String(value)
        case .string(let value): Escape.quoted(value)
        case .entity(let uid): uid.description
        }
    }
}

extension ExactString {
    /// Whether it can stand without quotes as an attribute or a key.
    var isWrittenBare: Bool {
        guard let first = string.utf8.first, Lexer.startsIdentifier(first) else { return false }
        return string.utf8.allSatisfy(Lexer.continuesIdentifier) && !ReservedWord.contains(self)
    }

    fileprivate var writtenKey: String { isWrittenBare ? string : Escape.quoted(self) }
}
