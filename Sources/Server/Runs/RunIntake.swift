internal import Engine
internal import HTTPTypes
internal import JSON

/// The one way in for runs: from a checked message and a principal to a started run, whatever the transport.
struct RunIntake: Sendable {
    let coordinator: RunCoordinator
    /// The model of a message that names none: the first one configured.
    let defaultModel: String?
    var disconnects = DisconnectRules()
    /// For requests that do not say what a denied call means.
    var onDeny = RunRequest.DenyPolicy.feedBack
    let lost: LostRuns
    let trail: AuditTrail
    /// Nil where this server is the only one.
    var shared: SharedRuns?

    /// - Throws: the refusal as every transport tells it.
    func start(_ message: ChatMessage, as principal: Principal) async throws(HTTPFailure) -> RunHandle {
        try check(message.hints, principal)
        guard let model = message.model ?? defaultModel else {
            throw HTTPFailure(StartFailure(.modelNotFound, "there is no model configured"))
        }
        try check(model, principal)
        return try await start(
            RunRequest(
                tenant: principal.tenant, model: model,
                input: .message(text: message.text, system: message.system, knowledge: message.knowledge),
                conversation: message.conversation, turn: message.turn, outputTokensMax: message.outputTokensMax, tools: message.tools,
                parameters: message.parameters,
                onClientLoss: disconnects.policy(for: model, asked: message.onDisconnect, key: principal.onDisconnect),
                mayLowerOutput: message.mayLowerOutput, roles: Set(principal.roles), serverTools: message.serverTools,
                onDeny: message.onDeny ?? onDeny), as: principal)
    }

    /// A prompt of another API's dialect ends with its client, unless it or its key asks for more: nobody could come back for the rest.
    func start(_ prompt: WholePrompt, as principal: Principal) async throws(HTTPFailure) -> RunHandle {
        try check(prompt, principal)
        return try await start(
            RunRequest(
                tenant: principal.tenant, model: prompt.model, input: .prompt(prompt.messages),
                outputTokensMax: prompt.outputTokensMax, tools: prompt.tools, parameters: prompt.parameters,
                onClientLoss: DisconnectRules.policyOfCompletion(asked: prompt.onDisconnect, key: principal.onDisconnect),
                mayLowerOutput: prompt.mayLowerOutput, roles: Set(principal.roles), serverTools: prompt.serverTools,
                onDeny: prompt.onDeny ?? onDeny), as: principal)
    }

    /// Whether the caller may ask this of this model.
    func check(_ prompt: WholePrompt, _ principal: Principal) throws(HTTPFailure) {
        try check(prompt.hints, principal)
        try check(prompt.model, principal)
    }

    private func check(_ hints: TenantHints, _ principal: Principal) throws(HTTPFailure) {
        do { try hints.check(against: principal) } catch {
            trail.mismatch(error, of: principal)
            throw .tenantMismatch(error)
        }
    }

    private func check(_ model: String, _ principal: Principal) throws(HTTPFailure) {
        guard principal.mayCall(model) else {
            throw HTTPFailure(
                .forbidden, code: "model_not_allowed", type: "permission_error", message: "This key may not call that model.",
                param: "model",
                headers: [.shouldRetry: "false"])
        }
    }

    private func start(_ request: RunRequest, as principal: Principal) async throws(HTTPFailure) -> RunHandle {
        var request = request
        request.person = principal.identity
        switch await coordinator.start(request) {
        case .started(let handle): return handle
        case .refused(let cut): throw HTTPFailure(cut, isRefusal: true)
        case .failed(let failure): throw HTTPFailure(failure)
        }
    }

    /// A run that the caller may see. One that is somebody else's is as absent as one that never was.
    func handle(_ text: String, as principal: Principal) async throws(HTTPFailure) -> RunHandle {
        let absent = HTTPFailure(
            .notFound, code: "run_not_found", message: "There is no such run, or it is no longer kept.", param: "run_id")
        guard let run = RunID(text) else { throw absent }
        if let handle = coordinator.handle(for: run) {
            guard handle.tenant.owns(asSeenBy: principal.tenant) else { throw absent }
            return handle
        }
        if let handle = await shared?.find(run, for: principal.tenant) { return handle }
        do throws(HTTPFailure) {
            guard let handle = try await lost.find(run, for: principal.tenant) else { throw absent }
            return handle
        } catch {
            guard error.code == LostRuns.pendingCode, let handle = await young(run, for: principal.tenant) else { throw error }
            return handle
        }
    }

    /// A run that another server has just begun: its log is in Redis within a moment.
    private func young(_ run: RunID, for tenant: Tenant) async -> RunHandle? {
        guard let shared else { return nil }
        for _ in 0..<6 {
            try? await Task.sleep(for: RunLogLimits.writePause)
            if let handle = await shared.find(run, for: tenant) { return handle }
        }
        return nil
    }

    /// Ends a run that the caller may see, wherever it lives.
    ///
    /// - Returns: false when it had ended, or was about to.
    func cancel(_ run: RunHandle) async -> Bool {
        if coordinator.cancel(run.identity.run) { return true }
        return await shared?.cancel(run) ?? false
    }
}

/// What becomes of a run that nobody reads: as its message asks, or else its key's setting, or else its model's, or else the server's.
struct DisconnectRules: Sendable {
    var standard = DisconnectPolicy.drain
    var grace = Duration.seconds(30)
    var models: [String: DisconnectPolicy] = [:]

    init() {}

    init(_ configuration: Configuration) {
        standard = configuration.server.onDisconnect
        grace = configuration.server.disconnectGrace
        for model in configuration.models { models[model.id] = model.onDisconnect }
    }

    func policy(for model: String, asked: DisconnectPolicy?, key: DisconnectPolicy? = nil) -> RunRequest.ClientLossPolicy {
        switch asked ?? key ?? models[model] ?? standard {
        case .drain: .drain
        case .stop: .stop(grace: grace)
        }
    }

    static func policyOfCompletion(asked: DisconnectPolicy?, key: DisconnectPolicy? = nil) -> RunRequest.ClientLossPolicy {
        asked ?? key == .drain ? .drain : .stop(grace: .zero)
    }
}

extension FieldReader {
    func disconnectPolicy() throws(HTTPFailure) -> DisconnectPolicy? {
        guard let text = try string("on_disconnect", bytesMax: 16) else { return nil }
        guard let policy = DisconnectPolicy(rawValue: text) else { throw failure("on_disconnect", "must be stop or drain") }
        return policy
    }
}

extension FieldReader {
    /// `true`, `false`, or the names of the server's own tools that the model may call.
    func serverTools() throws(HTTPFailure) -> RunRequest.ServerTools? {
        switch value("server_tools") {
        case nil, .null: return nil
        case .bool(let all): return all ? .all : RunRequest.ServerTools.none
        case .array(let list):
            let names = list.compactMap(\.stringValue)
            guard names.count == list.count, list.count <= RequestLimits.serverToolsMax else { break }
            return .names(names)
        default: break
        }
        throw failure("server_tools", "must be true, false or an array of at most \(RequestLimits.serverToolsMax) names")
    }

    func denyPolicy() throws(HTTPFailure) -> RunRequest.DenyPolicy? {
        guard let text = try string("on_deny", bytesMax: 16) else { return nil }
        guard let policy = RunRequest.DenyPolicy(rawValue: text) else {
            throw failure("on_deny", "must be \(RunRequest.DenyPolicy.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return policy
    }
}

extension Principal {
    var tenant: Tenant { Tenant(org: org, project: project, user: user, key: payer, credential: keyID) }
}
