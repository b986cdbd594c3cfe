internal import Cedar
internal import JSON

/// `context.args.amount`: an attribute as a policy reads it.
struct AttributeAccess: Sendable, Hashable, Comparable {
    let variable: Expr.Variable
    let path: [ExactString]

    /// Nil for any other expression.
    init?(_ expression: Expr) {
        var path: [ExactString] = []
        var expression = expression
        while case .attribute(let name) = expression.kind, let child = expression.children.first {
            path.append(name)
            expression = child
        }
        guard case .variable(let variable) = expression.kind, !path.isEmpty else { return nil }
        self.variable = variable
        self.path = path.reversed()
    }

    /// The path below `context.args`; nil elsewhere.
    var argument: [ExactString]? {
        guard variable == .context, path.count > 1, path[0] == "args" else { return nil }
        return Array(path.dropFirst())
    }

    /// As people write it; an argument without `context`.
    var shown: String {
        let names = (variable == .context && path[0] == "args" ? path : [ExactString(variable.rawValue)] + path)
        return names.map(\.string).joined(separator: ".")
    }

    static func < (left: AttributeAccess, right: AttributeAccess) -> Bool { left.shown < right.shown }
}

extension PolicySchema.Tool {
    /// What the schema lets an attribute be; nil where it says nothing.
    func domain(of access: AttributeAccess) -> ValueDomain? {
        if access.variable == .context, access.path == ["run", "source"] {
            return .text(TextDomain(allowed: Set(CallSource.allCases.map { ExactString($0.rawValue) })))
        }
        if access.variable == .context, access.path.count == 2, access.path[0] == "counts" { return .number(NumberDomain(lower: 0)) }
        guard let path = access.argument else { return nil }
        var fields = self.fields
        for (index, name) in path.enumerated() {
            guard let field = fields.first(where: { $0.key == name }) else { return nil }
            if index == path.count - 1 { return field.node.domain }
            guard case .record(let inner) = field.shape else { return nil }
            fields = inner
        }
        return nil
    }
}

extension SchemaNode {
    fileprivate var domain: ValueDomain? {
        let values = allowed.map { $0.compactMap { try? JSONValue(parsing: String(decoding: $0, as: UTF8.self)) } }
        switch shape {
        case .boolean: return .flag(values.map { Set($0.compactMap(\.boolValue)) } ?? [true, false])
        case .integer(let range):
            return .number(
                NumberDomain(lower: range.lowerBound, upper: range.upperBound, values: values.map { Set($0.compactMap(\.integerValue)) }))
        case .string(let shape):
            switch shape.format {
            case nil: return .text(TextDomain(allowed: values.map { Set($0.compactMap { $0.stringValue.map { ExactString($0) } }) }))
            case .date: return .number(NumberDomain(unit: .moment, step: 86_400_000))
            case .decimal(let range):
                var step: Int64 = 1
                for _ in range.places..<FixedPoint.argumentPlaces { step *= 10 }
                let scaled = values.map { values in
                    Set(values.compactMap { $0.stringValue.flatMap { FixedPoint.scaled($0, places: FixedPoint.argumentPlaces) } })
                }
                return .number(
                    NumberDomain(
                        unit: .decimal(places: range.places), lower: range.minimum?.scaled ?? .min, upper: range.maximum?.scaled ?? .max,
                        step: step, values: scaled))
            }
        case .object, .array, .null: return nil
        }
    }
}
