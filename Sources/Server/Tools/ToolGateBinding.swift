internal import Engine
internal import JSON
internal import Supervisor

/// Meets the engine's ``ToolGate`` with the supervisor.
struct ToolGateBinding: ToolGate {
    let supervisor: ToolSupervisor
    let onKill: Configuration.Sandbox.KillPolicy

    func offers(for caller: ToolCaller) async -> [ToolOffer] {
        supervisor.offers(for: CallerIdentity(caller)).map { tool in
            ToolOffer(
                name: tool.name,
                definition: [
                    "type": "function",
                    "function": [
                        "name": .string(tool.name), "description": .string(tool.description), "parameters": tool.parameters,
                    ],
                ])
        }
    }

    func refusal(ofName name: String, for caller: ToolCaller) -> ToolRefusal? {
        supervisor.refusal(ofName: name, for: CallerIdentity(caller)).map { ToolRefusal($0) }
    }

    func record(_ refusal: ToolRefusal, of call: ToolInvocation) -> ToolRefusal {
        ToolRefusal(supervisor.attempted(CallRequest(call), as: Refusal(refusal)))
    }

    func call(_ call: ToolInvocation, told: @escaping @Sendable (Engine.ToolNews) -> Void) async -> ToolAnswer {
        let request = CallRequest(call)
        // A name that no tool has is the supervisor's to refuse, offered or not.
        guard call.isOffered || supervisor.catalog[call.name] == nil else {
            let refusal = supervisor.attempted(request, as: Refusal.notOffered)
            return ToolAnswer(denied: refusal, isPolicy: false)
        }
        let result = await supervisor.call(request) { told(Engine.ToolNews($0)) }
        var answer = answer(result)
        answer.rule = result.allowedBy ?? result.rule
        return answer
    }

    private func answer(_ result: CallResult) -> ToolAnswer {
        switch result.outcome {
        case .value(let value):
            return ToolAnswer(content: value.stringValue ?? value.jsonText, data: result.allowed(value))
        case .denied(let refusal):
            return ToolAnswer(denied: refusal, isPolicy: refusal.isPolicy)
        case .failed(let code, let message, let value):
            let error = JSONObject([("code", .string(code)), ("message", .string(message))])
            var data = result.allowed(value)
            data["error"] = .object(error)
            var read = JSONObject([("error", .object(error))])
            if let value { read["result"] = value }
            return ToolAnswer(
                content: JSONValue.object(read).jsonText, data: data, isError: true,
                verdict: onKill == .endRun && value.isKilledCode ? .endsRun(.complete(finishReason: "code_killed")) : .answered)
        }
    }
}

extension JSONValue? {
    /// Whether this is what is left of code that was killed: an exit that is none of the code's own.
    fileprivate var isKilledCode: Bool {
        guard let exit = self?["exit"]?.stringValue else { return false }
        return exit != "ok" && exit != "error"
    }
}

extension CallResult {
    /// For the last step: of code its exit and output stand beside the result, which is then left out.
    fileprivate func allowed(_ value: JSONValue?) -> JSONObject {
        var data = JSONObject([("decision", "allow")])
        if let decisionID { data["decision_id"] = .string(decisionID) }
        if isReplayed { data["replayed"] = true }
        guard let value else { return data }
        if case .object(let object) = value, object["exit"] != nil, object["stdout"] != nil {
            for member in object.members { data[member.key] = member.value }
        } else {
            data["result"] = value
        }
        return data
    }
}

extension ToolAnswer {
    /// - Parameter isPolicy: whether the run's deny policy applies. A model that misspells an argument is told so, whatever it says.
    fileprivate init(denied refusal: Refusal, isPolicy: Bool) {
        let refused = ToolRefusal(refusal)
        let denied = ToolAnswer.denied(refused)
        var data = denied.data
        if let id = refusal.decisionID { data["decision_id"] = .string(id) }
        if !refusal.details.isEmpty, var error = data["error"]?.objectValue {
            error["details"] = .object(refusal.details)
            data["error"] = .object(error)
        }
        self.init(content: denied.content, data: data, isError: true, verdict: isPolicy ? denied.verdict : .answered)
    }
}

extension Refusal {
    /// The tool is there, but this run's request did not want it.
    fileprivate static let notOffered = Refusal(
        code: RefusalCode.unknownTool, message: "There is no tool of that name.", rule: "run.server_tools")

    fileprivate init(_ refusal: ToolRefusal) {
        self.init(code: refusal.code, message: refusal.message, rule: refusal.rule ?? "tool")
    }

    /// Somebody decided that this caller may not; nothing that was written better would help.
    fileprivate var isPolicy: Bool {
        switch code {
        case RefusalCode.denied, RefusalCode.toolDisabled, RefusalCode.approvalUnavailable: true
        default: false
        }
    }
}

extension ToolRefusal {
    fileprivate init(_ refusal: Refusal) {
        self.init(code: refusal.code, message: refusal.message, rule: refusal.rule, decisionID: refusal.decisionID)
    }
}

extension CallerIdentity {
    init(_ caller: ToolCaller) {
        self.init(
            org: caller.tenant.org, project: caller.tenant.project, user: caller.tenant.user ?? "", key: caller.tenant.key,
            roles: caller.roles, run: caller.identity.run.text, turn: caller.identity.turn.text,
            conversation: caller.identity.conversation.text, identity: caller.person)
    }
}

extension CallRequest {
    fileprivate init(_ call: ToolInvocation) {
        self.init(caller: CallerIdentity(call.caller), callID: call.callID, tool: call.name, text: call.arguments)
    }
}

extension Engine.ToolNews {
    fileprivate init(_ news: Supervisor.ToolNews) {
        switch news {
        case .output(.stdout, let text): self = .output(.stdout, text)
        case .output(.stderr, let text): self = .output(.stderr, text)
        case .progress(let members): self = .progress(members)
        case .approval(let approval):
            self = .approval(
                RunApproval(
                    id: approval.id, tool: approval.tool, args: approval.arguments, from: approval.from, quorum: approval.quorum,
                    agreed: approval.agreed, expiresAt: approval.expiresAt, state: approval.state))
        case .nested(let call):
            let status: RunStep.Status =
                switch call.status {
                case .running: .running
                case .completed: .completed
                case .error: .error
                }
            self = .nested(NestedCall(callID: call.callID, name: call.tool, status: status, data: call.data))
        }
    }
}
