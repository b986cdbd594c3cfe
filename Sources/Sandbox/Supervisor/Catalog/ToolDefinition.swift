public import JSON

/// One tool of the catalog: all that the supervisor knows of it.
public struct ToolDefinition: Sendable {
    public enum Effect: String, Sendable, Hashable, CaseIterable {
        /// It changes nothing: asking twice does no harm.
        case read
        case write
    }

    /// `[a-z][a-z0-9_.]{0,63}`.
    public let name: String
    public let description: String
    /// The JSON Schema as the catalog has it, for the model.
    public let parameters: JSONValue
    /// The same, compiled.
    public let schema: ArgumentSchema
    public let effect: Effect
    /// The required argument that identifies the thing the call is about.
    public let correlate: String?
    /// Who may call it; nil is everyone.
    public let roles: Set<String>?
    /// What one call costs, in nano-USD.
    public let cost: Int64
    /// How long one call may take.
    public let timeout: Duration
    /// How many bytes of JSON one result may have.
    public let outputBytes: Int
    public let adapter: AdapterDefinition

    /// A tool without a catalog, which has checked what is not checked here: for tests of adapters and for tools that code defines.
    public init(
        name: String, description: String = "", schema: ArgumentSchema, effect: Effect, correlate: String? = nil,
        roles: Set<String>? = nil, cost: Int64 = 0, timeout: Duration = SupervisorLimits.timeoutDefault,
        outputBytes: Int = SupervisorLimits.outputBytesDefault, adapter: AdapterDefinition
    ) {
        self.name = name
        self.description = description
        self.parameters = schema.source
        self.schema = schema
        self.effect = effect
        self.correlate = correlate
        self.roles = roles
        self.cost = cost
        self.timeout = timeout
        self.outputBytes = outputBytes
        self.adapter = adapter
    }
}

/// What makes a tool's calls.
public enum AdapterDefinition: Sendable, Hashable {
    /// A tool of the server itself: `run_code`, `memory.get`.
    case builtin(String)
    case http(HTTPDefinition)
    case mcp(MCPDefinition)
}

/// A name and a text, where order may matter and one name may come but once.
public struct NamedText: Sendable, Hashable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A tool behind an HTTP request.
public struct HTTPDefinition: Sendable, Hashable {
    public enum Method: String, Sendable, Hashable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    public enum Body: String, Sendable, Hashable, CaseIterable {
        /// The arguments that the URL does not hold, as a JSON object.
        case json
    }

    public let method: Method
    public let url: URLTemplate
    /// Values may be secrets; they are never told or recorded.
    public let headers: [NamedText]
    /// The only hosts that a request may go to, redirects included. Lower case, without port.
    public let allowHosts: Set<String>
    /// Those of them whose addresses may lie in private ranges.
    public let privateHosts: Set<String>
    /// Nil when the URL holds all arguments.
    public let body: Body?

    public init(
        method: Method, url: URLTemplate, headers: [NamedText] = [], allowHosts: Set<String>, privateHosts: Set<String> = [],
        body: Body? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.allowHosts = allowHosts
        self.privateHosts = privateHosts
        self.body = body
    }
}

/// A tool of an MCP server.
public struct MCPDefinition: Sendable, Hashable {
    public enum Server: Sendable, Hashable {
        /// A program and its arguments; spoken to over its standard streams.
        case command([String], environment: [NamedText])
        /// An `http` or `https` address; spoken to by streamable HTTP.
        case url(String, headers: [NamedText], allowHosts: Set<String>, privateHosts: Set<String>)
    }

    public let server: Server
    /// The tool's name there.
    public let tool: String

    public init(server: Server, tool: String) {
        self.server = server
        self.tool = tool
    }
}

extension AdapterDefinition {
    /// Code has limits of its own, and waits for the tools that it calls; what it may print is bounded where it runs.
    private var runsCode: Bool { self == .builtin(BuiltInRules.code) }

    var standardTimeout: Duration { runsCode ? SupervisorLimits.timeoutMax : SupervisorLimits.timeoutDefault }
    var standardOutputBytes: Int { runsCode ? SupervisorLimits.codeOutputBytes : SupervisorLimits.outputBytesDefault }
}
