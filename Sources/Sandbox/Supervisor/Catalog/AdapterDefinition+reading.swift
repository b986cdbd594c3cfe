internal import JSON

extension HTTPDefinition {
    init(_ object: JSONObject, at path: String, schema: ArgumentSchema) throws(CatalogError) {
        var reader = CatalogReader(object, at: path)
        guard let method = Method(rawValue: try reader.requiredText("method", bytesMax: 16)) else {
            throw reader.error("method", "is one of \(Method.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let address = try reader.requiredText("url", bytesMax: SupervisorLimits.secretBytesMax)
        let url: URLTemplate
        do { url = try URLTemplate(address) } catch { throw reader.error("url", error.message) }
        for name in url.arguments where !schema.requires(name) || !schema.isScalar(name) {
            throw reader.error("url", "{\(name)} is no required text, integer or truth value among the parameters")
        }
        let body: Body?
        switch try reader.text("body", bytesMax: 16) {
        case nil: body = nil
        case Body.json.rawValue? where method != .get: body = .json
        default: throw reader.error("body", "is json, of any method but GET")
        }
        if body == nil, let lost = schema.properties.first(where: { !url.arguments.contains($0) }) {
            throw reader.error("url", "the argument \(lost) stands neither in the URL nor in a body")
        }
        let headers = try reader.headers("headers")
        guard let allowed = try reader.hosts("allow_hosts"), allowed.contains(url.host) else {
            throw reader.error("allow_hosts", "names at least the host of the URL")
        }
        let privateHosts = try reader.hosts("private_hosts") ?? []
        guard privateHosts.isSubset(of: allowed) else { throw reader.error("private_hosts", "are among allow_hosts") }
        try reader.finish()
        self.init(method: method, url: url, headers: headers, allowHosts: allowed, privateHosts: privateHosts, body: body)
    }
}

extension MCPDefinition {
    init(_ object: JSONObject, at path: String) throws(CatalogError) {
        var reader = CatalogReader(object, at: path)
        let tool = try reader.requiredText("tool", bytesMax: 128)
        let command = try reader.words("command", countMax: SupervisorLimits.listMax, bytesMax: SupervisorLimits.secretBytesMax)
        let address = try reader.text("url", bytesMax: SupervisorLimits.secretBytesMax)
        let server: Server
        switch (command, address) {
        case (let words?, nil):
            guard let program = words.first, !program.isEmpty, words.allSatisfy({ !$0.utf8.contains(0) }) else {
                throw reader.error("command", "is a program and its arguments")
            }
            server = .command(words, environment: try reader.environment("env"))
        case (nil, let address?):
            let url: URLTemplate
            do { url = try URLTemplate(address) } catch { throw reader.error("url", error.message) }
            guard url.arguments.isEmpty else { throw reader.error("url", "has no places for arguments") }
            let headers = try reader.headers("headers")
            let allowed = try reader.hosts("allow_hosts") ?? [url.host]
            guard allowed.contains(url.host) else { throw reader.error("allow_hosts", "names at least the host of the URL") }
            let privateHosts = try reader.hosts("private_hosts") ?? []
            guard privateHosts.isSubset(of: allowed) else { throw reader.error("private_hosts", "are among allow_hosts") }
            server = .url(address, headers: headers, allowHosts: allowed, privateHosts: privateHosts)
        default: throw reader.error("command", "an MCP server has either a command or a url")
        }
        try reader.finish()
        self.init(server: server, tool: tool)
    }
}

extension CatalogReader {
    /// Names that frame a request are the client's own, not the catalog's.
    private static let framing: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "keep-alive",
    ]

    mutating func headers(_ key: String) throws(CatalogError) -> [NamedText] {
        let headers = try named(key)
        var names: Set<String> = []
        for header in headers {
            guard !header.name.isEmpty, header.name.utf8.allSatisfy(SafeText.isTokenByte) else {
                throw error(key, "\(SafeText.shown(header.name)) is no header's name")
            }
            guard !Self.framing.contains(header.name.lowercased()) else { throw error(key, "\(header.name) is set by the client alone") }
            guard names.insert(header.name.lowercased()).inserted else { throw error(key, "\(header.name) is there twice") }
            guard header.value.utf8.allSatisfy({ $0 == UInt8(ascii: "\t") || (0x20..<0x7F).contains($0) || $0 >= 0x80 }) else {
                throw error(key, "the value of \(header.name) has control characters")
            }
        }
        return headers
    }

    mutating func environment(_ key: String) throws(CatalogError) -> [NamedText] {
        let variables = try named(key)
        for variable in variables {
            guard SafeText.isPropertyName(variable.name) else { throw error(key, "\(SafeText.shown(variable.name)) is no variable's name") }
            guard !variable.value.utf8.contains(0) else { throw error(key, "the value of \(variable.name) has a NUL") }
        }
        return variables
    }

    private mutating func named(_ key: String) throws(CatalogError) -> [NamedText] {
        guard let object = try object(key) else { return [] }
        guard object.count <= SupervisorLimits.listMax else { throw error(key, "has more than \(SupervisorLimits.listMax) entries") }
        var texts: [NamedText] = []
        for member in object.members {
            guard case .string(let value) = member.value, value.utf8.count <= SupervisorLimits.secretBytesMax else {
                throw error(key, "\(SafeText.shown(member.key)) is a text of at most \(SupervisorLimits.secretBytesMax) bytes")
            }
            texts.append(NamedText(member.key, value))
        }
        return texts
    }

    mutating func hosts(_ key: String) throws(CatalogError) -> Set<String>? {
        guard let hosts = try texts(key, countMax: SupervisorLimits.listMax, bytesMax: SupervisorLimits.hostBytesMax) else { return nil }
        guard hosts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(SafeText.isHostByte) }) else {
            throw error(key, "are names or IPv4 addresses, without port or wildcard")
        }
        return Set(hosts.map { $0.lowercased() })
    }
}
