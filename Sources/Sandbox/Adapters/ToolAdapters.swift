internal import JSON
public import NIOCore
internal import NIOPosix
public import Supervisor

/// The adapters of tools that are elsewhere, over one set of connections, and the demo tools.
///
/// One for the whole server, shut down by whoever made it.
public final class ToolAdapters: Sendable {
    private let threads: NIOThreadPool
    private let clients: PinnedClients
    private let http: HTTPToolAdapter
    private let mcp: MCPToolAdapter
    private let demo = DemoTools()

    /// - Parameters:
    ///   - group: for connections and children's streams; not shut down here.
    ///   - log: takes, from any thread, the command of an MCP server that is a child, and a line that it wrote to its standard error or
    ///     how it ended: without the values of its environment, and at most 200 lines a minute of each.
    public convenience init(group: any EventLoopGroup, log: @escaping @Sendable (_ server: String, _ line: String) -> Void) {
        self.init(group: group, resolver: nil, log: log)
    }

    init(group: any EventLoopGroup, resolver: (any NameResolver)?, log: @escaping @Sendable (String, String) -> Void) {
        threads = NIOThreadPool(numberOfThreads: AdapterLimits.resolverThreads)
        threads.start()
        clients = PinnedClients(group: group)
        let outbound = Outbound(resolver: resolver ?? SystemResolver(threads: threads), clients: clients)
        http = HTTPToolAdapter(outbound: outbound)
        mcp = MCPToolAdapter(group: group, outbound: outbound, log: log)
    }

    /// What makes the calls of a tool that is defined like this; nil for a built-in tool that is no demo tool.
    public func adapter(for definition: AdapterDefinition) -> (any ToolAdapter)? {
        switch definition {
        case .http: http
        case .mcp: mcp
        case .builtin(let name): DemoTools.names.contains(name) ? demo : nil
        }
    }

    /// Tells which tools there are from now on. An MCP server that none of them names is closed when its last call is over.
    public func keep(_ definitions: [AdapterDefinition]) {
        mcp.keep(
            Set(
                definitions.compactMap { definition in
                    guard case .mcp(let definition) = definition else { return nil }
                    return definition.server
                }))
    }

    /// Checks what can be said of the lists of hosts without asking anybody.
    ///
    /// - Throws: ``ToolFailure`` whose message says what to change.
    public static func checkHosts(_ definition: AdapterDefinition) throws(ToolFailure) {
        switch definition {
        case .builtin: return
        case .http(let definition):
            let rules = HostRules(allowed: definition.allowHosts, inside: definition.privateHosts)
            try check(rules, host: definition.url.host, port: definition.url.port, isSecure: definition.url.scheme == "https")
        case .mcp(let definition):
            guard case .url(let address, _, let allowed, let inside) = definition.server, let url = WebURL(address) else { return }
            try check(HostRules(allowed: allowed, inside: inside), host: url.host, port: url.port, isSecure: url.isSecure)
        }
    }

    /// Checks at start what can be checked without a call: of HTTP the lists of hosts, of MCP that the server starts and has the tool.
    ///
    /// - Throws: ``ToolFailure`` whose message says what to change.
    public func check(_ definition: AdapterDefinition) async throws(ToolFailure) {
        try Self.checkHosts(definition)
        if case .mcp(let definition) = definition { try await mcp.check(definition) }
    }

    private static func check(_ rules: HostRules, host: String, port: Int?, isSecure: Bool) throws(ToolFailure) {
        if let entry = rules.malformed.first {
            throw ToolFailure(code: "bad_definition", message: "\(shown(entry)) is no host or host:port", hadNoEffect: true)
        }
        let text = (isSecure ? "https://" : "http://") + (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
        guard let url = WebURL(text), rules.allow(url) else {
            throw ToolFailure(code: "bad_definition", message: "\(shown(host)) is not in the tool's allow_hosts", hadNoEffect: true)
        }
    }

    /// Ends connections, sessions and children. Calls that run fail.
    public func shutdown() async {
        await mcp.shutdown()
        await clients.shutdown()
        try? await threads.shutdownGracefully()
    }
}
