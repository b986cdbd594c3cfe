internal import JSON
internal import Supervisor

/// The client's side of one connection to an MCP server: which messages to send, and what those that come mean.
///
/// Pure: it holds no transport, clock or task. A request has a *token*, the number of its first message; a list of several pages sends
/// several messages under one token.
///
/// Source: Model Context Protocol 2025-06-18 and 2025-03-26, *Lifecycle*, *Tools*, *Progress*, *Cancellation*, *Ping*; JSON-RPC 2.0.
struct MCPConnection: Sendable {
    enum Action: Sendable, Hashable {
        /// - Parameter purpose: whether an answer is waited for.
        case send([UInt8], Purpose)
        /// Requests may be made once the transport has sent the announcement before this.
        case negotiated(version: String)
        case answered(token: Int64, Result<Reply, ToolFailure>)
        case progress(token: Int64, JSONObject)
        /// The other side does not keep the protocol: close the transport. Every request was answered before.
        case giveUp(ToolFailure)
    }

    enum Purpose: Sendable, Hashable {
        case request(id: Int64)
        /// `notifications/initialized`, after which requests may be sent.
        case announcement
        case other
    }

    enum Reply: Sendable, Hashable {
        case initialized
        case tools([String])
        /// The result of `tools/call`.
        case result(JSONObject)
    }

    private enum Phase { case new, initializing, ready, closed }

    private struct Pending {
        enum Kind {
            case initialize
            case list(names: [String], pages: Int, cursor: String?)
            case call(progress: Int)
        }

        let token: Int64
        var kind: Kind
    }

    /// The newest first: what is offered, and what may be agreed upon.
    static let versions = ["2025-06-18", "2025-03-26"]
    /// Lines that are no messages: some programs print a banner. More is another protocol.
    private static let junkMax = 100
    /// Of one batch, which only 2025-03-26 has.
    private static let batchMax = 100
    private static let limits = JSONLimits(depth: 64, members: 10_000)

    private var phase = Phase.new
    private var version = ""
    private var lastID: Int64 = 0
    private var pending: [Int64: Pending] = [:]
    private var junk = 0

    var isClosed: Bool { phase == .closed }
    var pendingCount: Int { pending.count }
    func isPending(id: Int64) -> Bool { pending[id] != nil }
    /// The message that is waited for under this token.
    func pendingID(token: Int64) -> Int64? { pending.first { $0.value.token == token }?.key }

    // MARK: What we ask

    /// The handshake; once, and first.
    mutating func initialize() -> (token: Int64, [Action]) {
        phase = .initializing
        let parameters: JSONObject = JSONObject([
            ("protocolVersion", .string(Self.versions[0])), ("capabilities", .object(JSONObject())),
            ("clientInfo", ["name": "kdcube", "version": "1"]),
        ])
        let (id, action) = request("initialize", parameters, .initialize)
        return (id, [action])
    }

    /// All pages of `tools/list`.
    mutating func listTools() throws(ToolFailure) -> (token: Int64, [Action]) {
        try requireReady()
        let (id, action) = request("tools/list", JSONObject(), .list(names: [], pages: 1, cursor: nil))
        return (id, [action])
    }

    /// - Throws: ``ToolFailure`` without effect when too many are in flight.
    mutating func call(tool: String, arguments: JSONObject) throws(ToolFailure) -> (token: Int64, [Action]) {
        try requireReady()
        let id = lastID + 1
        let parameters = JSONObject([
            ("name", .string(tool)), ("arguments", .object(arguments)), ("_meta", ["progressToken": .integer(id)]),
        ])
        let (_, action) = request("tools/call", parameters, .call(progress: 0))
        return (id, [action])
    }

    /// The caller waits no longer. The server is told, except of the handshake, which the protocol does not let us cancel.
    mutating func cancel(token: Int64) -> [Action] {
        guard let id = pendingID(token: token), let entry = pending.removeValue(forKey: id) else { return [] }
        if case .initialize = entry.kind { return [] }
        let parameters: JSONObject = JSONObject([("requestId", .integer(id)), ("reason", "the caller waits no longer")])
        return [.send(Self.notification("notifications/cancelled", parameters), .other)]
    }

    /// The transport could not get an answer to this one message.
    mutating func fail(id: Int64, _ failure: ToolFailure) -> [Action] {
        guard let entry = pending.removeValue(forKey: id) else { return [] }
        return [.answered(token: entry.token, .failure(failure))]
    }

    /// The server has forgotten the session, as this one message met: that one was not made, and of the others nobody knows.
    mutating func lose(id: Int64, _ failure: ToolFailure, others: ToolFailure) -> [Action] { fail(id: id, failure) + close(others) }

    /// The transport is closed.
    mutating func close(_ failure: ToolFailure) -> [Action] {
        guard phase != .closed else { return [] }
        phase = .closed
        let tokens = pending.values.map(\.token).sorted()
        pending.removeAll()
        return tokens.map { .answered(token: $0, .failure(failure)) }
    }

    private func requireReady() throws(ToolFailure) {
        guard phase == .ready else {
            throw ToolFailure(code: "tool_unavailable", message: "the MCP server is not connected", hadNoEffect: true)
        }
        guard pending.count < AdapterLimits.callsPerServerMax else {
            throw ToolFailure(code: "tool_unavailable", message: "too many calls of this MCP server are under way", hadNoEffect: true)
        }
    }

    private mutating func request(
        _ method: String, _ parameters: JSONObject, _ kind: Pending.Kind, token: Int64? = nil
    ) -> (id: Int64, Action) {
        lastID += 1
        pending[lastID] = Pending(token: token ?? lastID, kind: kind)
        let message = MCPMessage.request(id: lastID, method: method, parameters: parameters)
        return (lastID, .send(message, .request(id: lastID)))
    }

    private static func notification(_ method: String, _ parameters: JSONObject? = nil) -> [UInt8] {
        MCPMessage.notification(method: method, parameters: parameters)
    }

    // MARK: What comes

    /// Takes one message.
    mutating func receive(_ bytes: [UInt8]) -> [Action] {
        guard phase != .closed else { return [] }
        guard bytes.count <= AdapterLimits.messageBytesMax else { return giveUp("a message is too long") }
        guard let message = try? JSONValue(parsing: bytes, limits: Self.limits) else {
            junk += 1
            return junk > Self.junkMax ? giveUp("what it sends is not JSON") : []
        }
        guard case .array(let batch) = message else { return accept(message) }
        guard version == Self.versions[1], !batch.isEmpty, batch.count <= Self.batchMax else { return giveUp("it sends a batch") }
        var actions: [Action] = []
        for element in batch where phase != .closed { actions += accept(element) }
        return actions
    }

    private mutating func accept(_ message: JSONValue) -> [Action] {
        guard message["jsonrpc"]?.stringValue == "2.0" else { return giveUp("a message is not JSON-RPC 2.0") }
        if let method = message["method"] {
            guard let method = method.stringValue else { return giveUp("a method is no text") }
            guard let id = message["id"] else { return notified(method, message["params"]?.objectValue ?? JSONObject()) }
            switch id {
            case .integer, .string: return [.send(MCPMessage.answer(to: id, method: method), .other)]
            default: return giveUp("a request's id is neither text nor integer")
            }
        }
        // An error without an id is about a message that the server could not read; the request it was will time out.
        guard let id = message["id"]?.integerValue else { return message["error"] == nil ? giveUp("an answer has no id") : [] }
        guard let entry = pending.removeValue(forKey: id) else {
            return (1...max(lastID, 1)).contains(id) ? [] : giveUp("it answers what was not asked")
        }
        return answered(entry, message)
    }

    private mutating func notified(_ method: String, _ parameters: JSONObject) -> [Action] {
        guard method == "notifications/progress", let id = parameters["progressToken"]?.integerValue, var entry = pending[id],
            case .call(let count) = entry.kind, count < AdapterLimits.progressPerCallMax
        else { return [] }
        entry.kind = .call(progress: count + 1)
        pending[id] = entry
        var news = JSONObject()
        for key in ["progress", "total"] where parameters[key]?.numberText != nil { news[key] = parameters[key] }
        if let message = parameters["message"]?.stringValue { news["message"] = .string(shown(message)) }
        return news.isEmpty ? [] : [.progress(token: entry.token, news)]
    }

    private mutating func answered(_ entry: Pending, _ message: JSONValue) -> [Action] {
        func failed(_ failure: ToolFailure) -> [Action] { [.answered(token: entry.token, .failure(failure))] }
        if let error = message["error"], error != .null {
            let failure = MCPMessage.failure(error)
            if case .initialize = entry.kind { return failed(failure) + giveUp("it refuses the handshake") }
            return failed(failure)
        }
        guard let result = message["result"]?.objectValue else {
            return failed(ToolFailure(code: "upstream_malformed", message: "the MCP server's answer has no result"))
        }
        switch entry.kind {
        case .initialize: return initialized(entry.token, result)
        case .list(let names, let pages, let cursor): return listed(entry.token, result, names, pages, cursor)
        case .call: return [.answered(token: entry.token, .success(.result(result)))]
        }
    }

    private mutating func initialized(_ token: Int64, _ result: JSONObject) -> [Action] {
        func refused(_ message: String) -> [Action] {
            let failure = ToolFailure(code: "mcp_handshake", message: message, hadNoEffect: true)
            return [.answered(token: token, .failure(failure))] + close(failure) + [.giveUp(failure)]
        }
        guard let version = result["protocolVersion"]?.stringValue, Self.versions.contains(version) else {
            let theirs = shown(result["protocolVersion"]?.stringValue ?? "none", bytesMax: 40)
            return refused("the MCP server speaks version \(theirs); this client \(Self.versions.joined(separator: " and "))")
        }
        guard result["capabilities"]?["tools"]?.objectValue != nil else { return refused("the MCP server has no tools") }
        self.version = version
        phase = .ready
        return [
            .negotiated(version: version), .send(Self.notification("notifications/initialized"), .announcement),
            .answered(token: token, .success(.initialized)),
        ]
    }

    private mutating func listed(
        _ token: Int64, _ result: JSONObject, _ names: [String], _ pages: Int, _ cursor: String?
    ) -> [Action] {
        func failed(_ message: String) -> [Action] {
            [.answered(token: token, .failure(ToolFailure(code: "mcp_list", message: message, hadNoEffect: true)))]
        }
        guard let tools = result["tools"]?.arrayValue else { return failed("the MCP server's list of tools is none") }
        var names = names
        for tool in tools {
            guard let name = tool["name"]?.stringValue else { return failed("the MCP server lists a tool without a name") }
            guard names.count < AdapterLimits.listedToolsMax else { return failed("the MCP server lists too many tools") }
            names.append(name)
        }
        guard let next = result["nextCursor"]?.stringValue else { return [.answered(token: token, .success(.tools(names)))] }
        guard pages < AdapterLimits.listPagesMax, next != cursor else { return failed("the MCP server's list of tools does not end") }
        let (_, action) = request(
            "tools/list", JSONObject([("cursor", .string(next))]), .list(names: names, pages: pages + 1, cursor: next), token: token)
        return [action]
    }

    private mutating func giveUp(_ why: String) -> [Action] {
        let failure = ToolFailure(code: "mcp_protocol", message: "the MCP server does not keep the protocol: \(why)")
        return close(failure) + [.giveUp(failure)]
    }
}
