@testable import Cedar

/// Random numbers from a seed, for tests that print it.
struct SchemaDice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64 (Steele, Lea, Flood, 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &self) }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[roll(elements.count)] }
}

/// Random schemas that are sound.
struct RandomSchema {
    private static let spaces = ["", "N", "M::L"]
    private static let attributeNames = ["a", "b", "in", "x y", "", "é", "e\u{301}", "Long", "\u{0}\n"]

    var dice: SchemaDice

    mutating func document() -> SchemaDocument {
        var document = SchemaDocument()
        for (index, space) in Self.spaces.enumerated() {
            var namespace = SchemaNamespace(name: space.isEmpty ? [] : SchemaName(written: space, place: .path([])).components)
            for number in 0..<2 {
                namespace.types.append(
                    SchemaCommonType(
                        name: ExactString("T\(index)\(number)"), type: number == 0 ? record(index, 2, types: 0) : type(index, 2, types: 1),
                        annotations: annotations(), place: .path([])))
            }
            for number in 0..<3 { namespace.entities.append(entity(index, number)) }
            namespace.entities.append(
                SchemaEntity(name: ExactString("E\(index)"), kind: .enumeration(["a", "\"", "b\u{7}"]), annotations: [], place: .path([])))
            for number in 0..<3 { namespace.actions.append(action(index, number)) }
            document.namespaces.append(namespace)
        }
        return document
    }

    private mutating func annotations() -> [SchemaAnnotation] {
        dice.roll(3) == 0 ? [SchemaAnnotation(key: "doc", value: "x\"y"), SchemaAnnotation(key: "if", value: "")] : []
    }

    private mutating func entity(_ space: Int, _ number: Int) -> SchemaEntity {
        let kind = SchemaEntity.Kind.standard(
            parents: (0..<dice.roll(3)).map { _ in entityName(space) }, shape: dice.roll(3) == 0 ? nil : record(space, 3, types: 2),
            tags: dice.roll(2) == 0 ? nil : type(space, 2, types: 2))
        return SchemaEntity(name: ExactString("U\(space)\(number)"), kind: kind, annotations: annotations(), place: .path([]))
    }

    private mutating func action(_ space: Int, _ number: Int) -> SchemaAction {
        // Groups have smaller numbers, so that there is no cycle.
        let parents = (0..<number).filter { _ in dice.roll(2) == 0 }.map { other in
            SchemaAction.Reference(
                type: dice.roll(2) == 0
                    ? nil : SchemaName(written: dice.roll(2) == 0 ? "Action" : absolute("Action", space), place: .path([])),
                id: ExactString("act \(space)\(other)"), place: .path([]))
        }
        var application: SchemaAction.Application?
        if dice.roll(3) > 0 {
            let context: SchemaTypeExpression? =
                dice.roll(3) == 0
                ? nil
                : dice.roll(2) == 0 ? record(space, 2, types: 2) : .named(SchemaName(written: "T\(space)0", place: .path([])), .common)
            application = SchemaAction.Application(
                principals: (0...dice.roll(2)).map { _ in entityName(space) }, resources: [entityName(space)], context: context)
        }
        return SchemaAction(
            name: ExactString("act \(space)\(number)"), parents: parents, application: application, annotations: annotations(),
            place: .path([]))
    }

    private func absolute(_ name: String, _ space: Int) -> String { Self.spaces[space].isEmpty ? name : "\(Self.spaces[space])::\(name)" }

    private mutating func entityName(_ space: Int) -> SchemaName {
        let other = dice.roll(Self.spaces.count)
        let base = dice.roll(4) == 0 ? "E\(other)" : "U\(other)\(dice.roll(3))"
        let isLocal = (other == space || other == 0) && dice.roll(2) == 0
        return SchemaName(written: isLocal ? base : absolute(base, other), place: .path([]))
    }

    /// - Parameter types: how many common types of the namespace may be named.
    private mutating func type(_ space: Int, _ depth: Int, types: Int) -> SchemaTypeExpression {
        switch dice.roll(depth > 0 ? 9 : 6) {
        case 0, 1: return .builtin(dice.pick(BuiltinType.allCases))
        case 2, 3: return .named(entityName(space), .any)
        case 4 where types > 0: return .named(SchemaName(written: "T\(space)\(dice.roll(types))", place: .path([])), .any)
        case 4: return .named(SchemaName(written: "Action", place: .path([])), .any)
        case 5: return .named(SchemaName(written: dice.pick(["Long", "__cedar::String", "decimal"]), place: .path([])), .any)
        case 6, 7: return record(space, depth - 1, types: types)
        default: return .set(type(space, depth - 1, types: types))
        }
    }

    private mutating func record(_ space: Int, _ depth: Int, types: Int) -> SchemaTypeExpression {
        let names = Self.attributeNames.shuffled(using: &dice).prefix(dice.roll(4))
        return .record(
            names.map {
                SchemaAttribute(
                    name: ExactString($0), type: type(space, depth, types: types), isRequired: dice.roll(2) == 0, annotations: annotations()
                )
            }, place: .path([]))
    }
}

/// Writes documents in the JSON form, for tests that compare the two.
enum SchemaJSONPrinter {
    static func text(_ document: SchemaDocument) -> String {
        object(
            document.namespaces.map { namespace in
                (SchemaNames.path(namespace.name), self.namespace(namespace))
            })
    }

    private static func namespace(_ namespace: SchemaNamespace) -> String {
        var members = [
            ("commonTypes", object(namespace.types.map { ($0.name.string, type($0.type, [annotations($0.annotations)])) })),
            ("entityTypes", object(namespace.entities.map { ($0.name.string, entity($0)) })),
            ("actions", object(namespace.actions.map { ($0.name.string, action($0)) })),
        ]
        if !namespace.annotations.isEmpty { members.append(annotations(namespace.annotations)) }
        return object(members)
    }

    private static func entity(_ entity: SchemaEntity) -> String {
        var members = [annotations(entity.annotations)]
        switch entity.kind {
        case .enumeration(let choices): members.append(("enum", list(choices.map { quoted($0.string) })))
        case .standard(let parents, let shape, let tags):
            members.append(("memberOfTypes", list(parents.map { quoted($0.description) })))
            if let shape { members.append(("shape", type(shape))) }
            if let tags { members.append(("tags", type(tags))) }
        }
        return object(members)
    }

    private static func action(_ action: SchemaAction) -> String {
        let parents = action.parents.map { parent in
            object([("id", quoted(parent.id.string))] + (parent.type.map { [("type", quoted($0.description))] } ?? []))
        }
        var members = [annotations(action.annotations), ("memberOf", list(parents))]
        if let application = action.application {
            var parts = [
                ("principalTypes", list(application.principals.map { quoted($0.description) })),
                ("resourceTypes", list(application.resources.map { quoted($0.description) })),
            ]
            if let context = application.context { parts.append(("context", type(context))) }
            members.append(("appliesTo", object(parts)))
        }
        return object(members)
    }

    private static func type(_ type: SchemaTypeExpression, _ extra: [(String, String)] = []) -> String {
        switch type {
        case .builtin(let builtin):
            switch builtin {
            case .bool: return object([("type", quoted("Boolean"))] + extra)
            case .long, .string: return object([("type", quoted(builtin.rawValue))] + extra)
            default: return object([("type", quoted("Extension")), ("name", quoted(builtin.rawValue))] + extra)
            }
        case .named(let name, let lookup):
            if lookup == .common { return object([("type", quoted(name.description))] + extra) }
            return object([("type", quoted("EntityOrCommon")), ("name", quoted(name.description))] + extra)
        case .set(let element): return object([("type", quoted("Set")), ("element", self.type(element))] + extra)
        case .record(let attributes, _):
            // JSON has no second attribute of a name; the last of the text counts.
            var seen: Set<ExactString> = []
            let last = attributes.reversed().filter { seen.insert($0.name).inserted }
            let members = last.map { attribute in
                (
                    attribute.name.string,
                    self.type(attribute.type, [("required", attribute.isRequired ? "true" : "false"), annotations(attribute.annotations)])
                )
            }
            return object([("type", quoted("Record")), ("attributes", object(members))] + extra)
        }
    }

    private static func annotations(_ annotations: [SchemaAnnotation]) -> (String, String) {
        ("annotations", object(annotations.map { ($0.key.string, quoted($0.value.string)) }))
    }

    private static func object(_ members: [(String, String)]) -> String {
        "{" + members.map { "\(quoted($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
    }

    private static func list(_ elements: [String]) -> String { "[" + elements.joined(separator: ", ") + "]" }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\\(scalar)"
            case _ where scalar.value < 0x20: out += "\\u00\(scalar.value < 16 ? "0" : "")\(String(scalar.value, radix: 16))"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
