public import JSON

/// How a text names the tenant that it belongs to: `tenant: "https://crm.example/{org}/customers/{id}"`.
///
/// A text belongs to a caller when it fits the template and its `{org}`, and `{project}` where there is one, are the caller's. A place
/// holds at least one character and nothing that a reader could take for the end of a part: no slash, no escape, no dots alone. So
/// `acme/../other/5` does not fit `{org}/{id}`. Letters are compared byte by byte.
public struct TenantTemplate: Sendable, Hashable {
    enum Piece: Sendable, Hashable {
        case literal([UInt8])
        case place(String)
    }

    /// As the catalog has it.
    public let source: String
    private let pieces: [Piece]

    /// - Throws: ``TenantTemplateError`` for a text without `{org}`, for places that nothing divides, and for braces that are none.
    init(_ source: String) throws(TenantTemplateError) {
        self.source = source
        pieces = try Self.parse(Array(source.utf8))
        let names = pieces.compactMap { if case .place(let name) = $0 { name } else { nil } }
        guard names.contains("org") else { throw TenantTemplateError("has no {org}, so it divides nothing") }
        guard Set(names).count == names.count else { throw TenantTemplateError("has a place twice") }
    }

    private static func parse(_ bytes: [UInt8]) throws(TenantTemplateError) -> [Piece] {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            guard byte != UInt8(ascii: "}") else { throw TenantTemplateError("has a } that closes nothing") }
            guard byte == UInt8(ascii: "{") else {
                literal.append(byte)
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { throw TenantTemplateError("has a { that is not closed") }
            let name = String(decoding: rest[..<end], as: UTF8.self)
            guard SafeText.isPropertyName(name) else { throw TenantTemplateError("has a place whose name is not [A-Za-z_][A-Za-z0-9_]*") }
            if case .place? = pieces.last, literal.allSatisfy(isPlaceByte) {
                // In `{org}-{id}`, `a-b-c` would have two readings, and two tenants.
                throw TenantTemplateError("has two places without a character between them that ends a place, such as / or :")
            }
            if !literal.isEmpty { pieces.append(.literal(literal)) }
            literal = []
            pieces.append(.place(name))
            rest = rest[(end + 1)...]
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        return pieces
    }

    private static func isPlaceByte(_ byte: UInt8) -> Bool { SafeText.isUnreserved(byte) || "+=,".utf8.contains(byte) }

    /// Whether the text is one of this caller's. Linear in its length.
    func admits(_ text: String, org: OrgID, project: String) -> Bool {
        var rest = Array(text.utf8)[...]
        for (index, piece) in pieces.enumerated() {
            switch piece {
            case .literal(let literal):
                guard rest.starts(with: literal) else { return false }
                rest = rest.dropFirst(literal.count)
            case .place(let name):
                let end = stop(after: index)
                let value = rest.prefix { $0 != end && Self.isPlaceByte($0) }
                guard !value.isEmpty, !value.allSatisfy({ $0 == UInt8(ascii: ".") }) else { return false }
                if name == "org", !value.elementsEqual(org.text.utf8) { return false }
                if name == "project", !value.elementsEqual(project.utf8) { return false }
                rest = rest.dropFirst(value.count)
            }
        }
        return rest.isEmpty
    }

    /// The byte that ends the place: the first of the literal behind it.
    private func stop(after index: Int) -> UInt8? {
        guard index + 1 < pieces.count, case .literal(let literal) = pieces[index + 1] else { return nil }
        return literal.first
    }
}

/// Why a template is refused.
struct TenantTemplateError: Error, Hashable {
    let message: String
    init(_ message: String) { self.message = message }
}

extension SchemaNode {
    /// Whether any text in it says whose it is.
    var hasTenant: Bool {
        switch shape {
        case .object(let shape): shape.properties.contains { $0.schema.hasTenant }
        case .array(let shape): shape.items.hasTenant
        case .string(let shape): shape.tenant != nil
        case .integer, .boolean, .null: false
        }
    }

    /// The first text of another tenant.
    func boundaryViolation(_ value: JSONValue, org: OrgID, project: String, at path: ArgumentPath) -> ArgumentError? {
        switch (shape, value) {
        case (.object(let shape), .object(let object)):
            for property in shape.properties where property.schema.hasTenant {
                guard let member = object[property.name] else { continue }
                let inner = path.member(property.name)
                if let error = property.schema.boundaryViolation(member, org: org, project: project, at: inner) { return error }
            }
        case (.array(let shape), .array(let elements)):
            guard shape.items.hasTenant else { return nil }
            for (index, element) in elements.enumerated() {
                if let error = shape.items.boundaryViolation(element, org: org, project: project, at: path.item(index)) { return error }
            }
        case (.string(let shape), .string(let text)):
            guard let tenant = shape.tenant, !tenant.admits(text, org: org, project: project) else { return nil }
            return path.error("tenant", "belongs to another tenant, or is not written like \(tenant.source)")
        default: break
        }
        return nil
    }
}

extension ArgumentSchema {
    /// The first argument that belongs to another org or project than the caller's, by the `tenant` templates of the schema; nil when all
    /// are the caller's, or none says whose it is. Nested texts and those in arrays count.
    ///
    /// - Parameter arguments: they fit the schema.
    public func boundaryViolation(_ arguments: JSONObject, org: OrgID, project: String) -> ArgumentError? {
        guard hasTenant else { return nil }
        return root.boundaryViolation(.object(arguments), org: org, project: project, at: ArgumentPath())
    }
}
