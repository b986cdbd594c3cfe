public import JSON

/// The tools of this server: `tools.yaml`, read into a JSON value by the Server, checked as a whole.
public struct ToolCatalog: Sendable {
    /// In the order of the file.
    public let tools: [ToolDefinition]
    private let index: [String: Int]

    /// - Throws: ``CatalogError`` with the first mistake; a catalog is taken whole or not at all.
    public init(_ value: JSONValue) throws(CatalogError) {
        guard case .object(let object) = value else { throw CatalogError(path: "", rule: "type", message: "is an object") }
        var reader = CatalogReader(object, at: "")
        if let version = try reader.integer("version"), version != 1 { throw reader.error("version", "is 1") }
        guard case .array(let entries)? = reader.take("tools"), entries.count <= SupervisorLimits.toolsMax else {
            throw reader.error("tools", "is a list of at most \(SupervisorLimits.toolsMax) tools")
        }
        try reader.finish()
        var tools: [ToolDefinition] = []
        var index: [String: Int] = [:]
        for (position, entry) in entries.enumerated() {
            let path = "tools[\(position)]"
            let tool = try ToolDefinition(entry, at: path)
            guard index.updateValue(position, forKey: tool.name) == nil else {
                throw CatalogError(path: "\(path).name", rule: "duplicate", message: "\(tool.name) is there already")
            }
            tools.append(tool)
        }
        self.tools = tools
        self.index = index
    }

    /// The tool of exactly this name. Only names of the catalog's alphabet are looked for, so nothing that merely looks alike is found.
    public subscript(name: String) -> ToolDefinition? {
        guard SafeText.isToolName(name), let position = index[name] else { return nil }
        return tools[position]
    }
}

extension ToolDefinition {
    init(_ value: JSONValue, at path: String) throws(CatalogError) {
        guard case .object(let object) = value else { throw CatalogError(path: path, rule: "type", message: "a tool is an object") }
        var reader = CatalogReader(object, at: path)
        let name = try reader.requiredText("name", bytesMax: SupervisorLimits.toolNameBytesMax)
        guard SafeText.isToolName(name) else { throw reader.error("name", "is [a-z][a-z0-9_.]{0,63}") }
        guard let parameters = reader.take("parameters") else { throw reader.error("parameters", "is missing") }
        let schema = try Self.schema(parameters, at: reader.path("parameters"))
        guard let effect = Effect(rawValue: try reader.requiredText("effect", bytesMax: 16)) else {
            throw reader.error("effect", "is read or write")
        }
        let correlate = try reader.text("correlate", bytesMax: 64)
        if let correlate, !schema.requires(correlate) || !schema.isScalar(correlate) {
            throw reader.error("correlate", "names a required text, integer or truth value among the parameters")
        }
        let description = try reader.requiredText("description", bytesMax: SupervisorLimits.descriptionBytesMax)
        let roles = try reader.texts("roles", countMax: SupervisorLimits.listMax, bytesMax: 128)
        if let roles, roles.isEmpty || roles.contains("") { throw reader.error("roles", "is left out for everyone; empty it is nobody's") }
        let cost = try Self.cost(&reader)
        let adapter = try Self.adapter(&reader, schema: schema)
        let timeout = try reader.duration("timeout", upTo: SupervisorLimits.timeoutMax) ?? adapter.standardTimeout
        let outputBytes = try reader.bytes("output", upTo: SupervisorLimits.outputBytesMax) ?? adapter.standardOutputBytes
        try reader.finish()
        self.init(
            name: name, description: description, schema: schema, effect: effect, correlate: correlate, roles: roles.map { Set($0) },
            cost: cost, timeout: timeout, outputBytes: outputBytes, adapter: adapter)
    }

    private static func schema(_ parameters: JSONValue, at path: String) throws(CatalogError) -> ArgumentSchema {
        do { return try ArgumentSchema(parameters) } catch {
            let inner = error.path.isEmpty ? path : "\(path).\(error.path)"
            throw CatalogError(path: inner, rule: error.rule, message: error.message)
        }
    }

    private static func cost(_ reader: inout CatalogReader) throws(CatalogError) -> Int64 {
        guard let text = try reader.text("cost", bytesMax: 32) else { return 0 }
        guard let cost = FixedPoint.scaled(text, places: FixedPoint.moneyPlaces), (0...SupervisorLimits.costMax).contains(cost) else {
            throw reader.error("cost", "is US dollars as a decimal string of at most 9 places, from \"0\" to \"1000000\"")
        }
        return cost
    }

    private static func adapter(_ reader: inout CatalogReader, schema: ArgumentSchema) throws(CatalogError) -> AdapterDefinition {
        let builtin = try reader.text("builtin", bytesMax: SupervisorLimits.toolNameBytesMax)
        let http = try reader.object("http")
        let mcp = try reader.object("mcp")
        switch (builtin, http, mcp) {
        case (let name?, nil, nil):
            guard SafeText.isToolName(name) else { throw reader.error("builtin", "is [a-z][a-z0-9_.]{0,63}") }
            return .builtin(name)
        case (nil, let object?, nil): return .http(try HTTPDefinition(object, at: reader.path("http"), schema: schema))
        case (nil, nil, let object?): return .mcp(try MCPDefinition(object, at: reader.path("mcp")))
        default: throw reader.error("builtin", "a tool has exactly one of builtin, http and mcp")
        }
    }
}
