internal import JSON

/// Compiles a tool's `parameters`. What it does not know it refuses: a keyword that were ignored would be a rule that nobody keeps.
struct SchemaCompiler {
    private var nodes = 0

    mutating func compileRoot(_ source: JSONValue) throws(CatalogError) -> SchemaNode {
        let node = try compile(source, at: "", depth: 1)
        guard case .object = node.shape, !node.isNullable else {
            throw CatalogError(path: "", rule: "type", message: "arguments are an object")
        }
        return node
    }

    private mutating func compile(_ source: JSONValue, at path: String, depth: Int) throws(CatalogError) -> SchemaNode {
        guard case .object(let object) = source else { throw CatalogError(path: path, rule: "type", message: "a schema is an object") }
        guard depth <= SupervisorLimits.schemaDepthMax else {
            throw CatalogError(path: path, rule: "depth", message: "nests deeper than \(SupervisorLimits.schemaDepthMax)")
        }
        nodes += 1
        guard nodes <= SupervisorLimits.schemaNodesMax else {
            throw CatalogError(path: path, rule: "size", message: "has more than \(SupervisorLimits.schemaNodesMax) schemas")
        }
        var reader = CatalogReader(object, at: path)
        let (type, isNullable) = try Self.type(&reader)
        for note in ["title", "description", "$comment"] { _ = try reader.text(note, bytesMax: SupervisorLimits.descriptionBytesMax) }
        if depth == 1, let dialect = try reader.text("$schema", bytesMax: 64) {
            guard dialect == "https://json-schema.org/draft/2020-12/schema" else {
                throw reader.error("$schema", "only JSON Schema 2020-12 is understood")
            }
        }
        let shape: SchemaNode.Shape =
            switch type {
            case "object": .object(try objectShape(&reader, depth: depth))
            case "array": .array(try arrayShape(&reader, depth: depth))
            case "string": .string(try Self.stringShape(&reader))
            case "integer": .integer(try Self.integerRange(&reader))
            case "boolean": .boolean
            default: .null
            }
        let isSecret = try reader.flag("writeOnly") ?? false
        let allowed = try Self.allowed(&reader)
        try reader.finish()
        let node = SchemaNode(shape: shape, isNullable: isNullable, allowed: nil, isSecret: isSecret)
        guard let allowed else { return node }
        for value in allowed {
            do { try node.validate(value, at: ArgumentPath()) } catch {
                throw CatalogError(path: path, rule: "enum", message: "a value of enum or const can never be valid: \(error.message)")
            }
        }
        return SchemaNode(shape: shape, isNullable: isNullable, allowed: Set(allowed.map(\.canonicalBytes)), isSecret: isSecret)
    }

    private static func type(_ reader: inout CatalogReader) throws(CatalogError) -> (String, isNullable: Bool) {
        let known = ["object", "array", "string", "integer", "boolean", "null"]
        switch reader.take("type") {
        case .string(let type) where known.contains(type): return (type, false)
        case .array(let types) where types.count == 2 && types.contains(.string("null")):
            if case .string(let type)? = types.first(where: { $0 != .string("null") }), known.contains(type) { return (type, true) }
        case .string("number"):
            throw reader.error("type", "number is refused: an amount is an integer, or a string with format: decimal")
        default: break
        }
        throw reader.error("type", "is one of \(known.joined(separator: ", ")), alone or with null")
    }

    private mutating func objectShape(_ reader: inout CatalogReader, depth: Int) throws(CatalogError) -> SchemaNode.ObjectShape {
        guard reader.take("additionalProperties") == .bool(false) else {
            throw reader.error("additionalProperties", "every object says additionalProperties: false")
        }
        let declared = try reader.object("properties") ?? JSONObject()
        var required = Set(try reader.texts("required", countMax: SupervisorLimits.schemaNodesMax, bytesMax: 64) ?? [])
        var properties: [SchemaNode.Property] = []
        for member in declared.members {
            let path = reader.path("properties.\(SafeText.shown(member.key))")
            guard SafeText.isPropertyName(member.key) else {
                throw CatalogError(path: path, rule: "properties", message: "a name is [A-Za-z_][A-Za-z0-9_]{0,63}")
            }
            let schema = try compile(member.value, at: path, depth: depth + 1)
            properties.append(
                SchemaNode.Property(name: member.key, schema: schema, isRequired: required.remove(member.key) != nil))
        }
        guard required.isEmpty else { throw reader.error("required", "names a property that is not declared") }
        return SchemaNode.ObjectShape(properties: properties)
    }

    private mutating func arrayShape(_ reader: inout CatalogReader, depth: Int) throws(CatalogError) -> SchemaNode.ArrayShape {
        guard let items = reader.take("items") else { throw reader.error("items", "every array says what its items are") }
        let schema = try compile(items, at: reader.path("items"), depth: depth + 1)
        let count = try Self.count(&reader, "minItems", "maxItems", default: SupervisorLimits.argumentNodesMax)
        return SchemaNode.ArrayShape(items: schema, count: count, isUnique: try reader.flag("uniqueItems") ?? false)
    }

    private static func stringShape(_ reader: inout CatalogReader) throws(CatalogError) -> SchemaNode.StringShape {
        let length = try count(&reader, "minLength", "maxLength", default: SupervisorLimits.argumentBytesMax)
        let pattern: LinearPattern?
        if let source = try reader.text("pattern", bytesMax: LinearPattern.sourceBytesMax) {
            do { pattern = try LinearPattern(source) } catch { throw reader.error("pattern", error.message) }
        } else {
            pattern = nil
        }
        let format: SchemaNode.StringShape.Format?
        switch try reader.text("format", bytesMax: 32) {
        case nil: format = nil
        case "date": format = .date
        case "decimal": format = .decimal(try decimalRange(&reader))
        default: throw reader.error("format", "is decimal or date")
        }
        var tenant: TenantTemplate?
        if let source = try reader.text("tenant", bytesMax: SupervisorLimits.tenantTemplateBytesMax) {
            guard format == nil else { throw reader.error("tenant", "stands beside no format") }
            do { tenant = try TenantTemplate(source) } catch { throw reader.error("tenant", error.message) }
        }
        return SchemaNode.StringShape(length: length, format: format, pattern: pattern, tenant: tenant)
    }

    private static func decimalRange(_ reader: inout CatalogReader) throws(CatalogError) -> DecimalRange {
        func bound(_ key: String) throws(CatalogError) -> DecimalRange.Bound? {
            guard let text = try reader.text(key, bytesMax: 32) else { return nil }
            guard let scaled = FixedPoint.scaled(text, places: FixedPoint.argumentPlaces) else {
                throw reader.error(key, "is a decimal string of at most \(FixedPoint.argumentPlaces) places")
            }
            return DecimalRange.Bound(text: text, scaled: scaled)
        }
        let minimum = try bound("minimum")
        let maximum = try bound("maximum")
        if let minimum, let maximum, minimum.scaled > maximum.scaled { throw reader.error("maximum", "is less than minimum") }
        let steps = ["1", "0.1", "0.01", "0.001", "0.0001"]
        guard let step = try reader.text("multipleOf", bytesMax: 32) else {
            return DecimalRange(minimum: minimum, maximum: maximum, places: FixedPoint.argumentPlaces)
        }
        guard let places = steps.firstIndex(of: step) else {
            throw reader.error("multipleOf", "is one of \(steps.map { "\"\($0)\"" }.joined(separator: ", "))")
        }
        return DecimalRange(minimum: minimum, maximum: maximum, places: places)
    }

    private static func integerRange(_ reader: inout CatalogReader) throws(CatalogError) -> ClosedRange<Int64> {
        let minimum = try reader.integer("minimum") ?? .min
        let maximum = try reader.integer("maximum") ?? .max
        guard minimum <= maximum else { throw reader.error("maximum", "is less than minimum") }
        return minimum...maximum
    }

    private static func count(
        _ reader: inout CatalogReader, _ low: String, _ high: String, default fallback: Int
    ) throws(CatalogError) -> ClosedRange<Int> {
        let minimum = try reader.integer(low) ?? 0
        let maximum = try reader.integer(high) ?? Int64(fallback)
        guard minimum >= 0 else { throw reader.error(low, "is negative") }
        guard minimum <= maximum else { throw reader.error(high, "is less than \(low)") }
        guard maximum <= fallback else { throw reader.error(high, "is more than \(fallback)") }
        return Int(minimum)...Int(maximum)
    }

    private static func allowed(_ reader: inout CatalogReader) throws(CatalogError) -> [JSONValue]? {
        let constant = reader.take("const")
        guard let values = reader.take("enum") else { return constant.map { [$0] } }
        guard constant == nil, case .array(let values) = values, (1...SupervisorLimits.enumMax).contains(values.count) else {
            throw reader.error("enum", "is a list of 1 to \(SupervisorLimits.enumMax) values, without const beside it")
        }
        guard Set(values.map(\.canonicalBytes)).count == values.count else { throw reader.error("enum", "has a value twice") }
        return values
    }
}
