internal import JSON

/// The tools of one run: which are the client's, which the server's, and what a deny means. A value.
struct RunTools: Sendable {
    let gate: any ToolGate
    let caller: ToolCaller
    let onDeny: RunRequest.DenyPolicy
    /// What the model is told of, the client's first.
    let definitions: JSONValue?
    private let offered: Set<String>
    private let clients: Set<String>

    /// Asks the gate what to offer.
    ///
    /// - Parameter gate: nil where the server has no tools.
    /// - Returns: nil when the request wants none of the server's: then every call is the client's.
    static func of(_ request: RunRequest, identity: RunIdentity, gate: (any ToolGate)?) async -> RunTools? {
        guard let gate, !request.serverTools.isNone else { return nil }
        let caller = ToolCaller(tenant: request.tenant, roles: request.roles, identity: identity, person: request.person)
        let offers = await gate.offers(for: caller).filter { request.serverTools.includes($0.name) }
        return RunTools(gate, caller, request, offers)
    }

    private init(_ gate: any ToolGate, _ caller: ToolCaller, _ request: RunRequest, _ offers: [ToolOffer]) {
        self.gate = gate
        self.caller = caller
        onDeny = request.onDeny
        let offered = Set(offers.map(\.name))
        self.offered = offered
        // Of two tools of one name the model could be told, but not asked which it means: the server's is decided about.
        let theirs = (request.tools?.arrayValue ?? []).filter { !offered.contains(Self.name(of: $0) ?? "") }
        clients = Set(theirs.compactMap(Self.name))
        let all = theirs + offers.map(\.definition)
        definitions = all.isEmpty ? nil : .array(all)
    }

    func invocation(_ call: ToolCall) -> ToolInvocation {
        ToolInvocation(
            caller: caller, callID: call.id, name: call.name, arguments: call.arguments, isOffered: call.maker != .unknown)
    }

    private static func name(of definition: JSONValue) -> String? { definition["function"]?["name"]?.stringValue }

    /// Who makes a call of that name. What the client did not define is never handed to it: a model that invents a name, or was
    /// talked into one, is refused, and the gate hears of it.
    func maker(of name: String) -> ToolCall.Maker {
        if clients.contains(name) { return .client }
        if let refusal = gate.refusal(ofName: name, for: caller) { return .denied(refusal) }
        return offered.contains(name) ? .server : .unknown
    }
}

extension RunRequest.ServerTools {
    fileprivate var isNone: Bool {
        switch self {
        case .all: false
        case .none: true
        case .names(let names): names.isEmpty
        }
    }

    fileprivate func includes(_ name: String) -> Bool {
        switch self {
        case .all: true
        case .none: false
        case .names(let names): names.contains(name)
        }
    }
}
