internal import Digest
internal import JSON

extension Attempt {
    /// What is known of a call's effect.
    enum Certainty: Sendable, Hashable {
        case known, unknown, noEffect
    }

    struct Performed {
        let result: CallResult
        let certainty: Certainty
        let goesOn: Bool
    }

    /// Decides, reserves, asks, records, and makes the call.
    func perform(_ call: Checked) async throws(Refused) -> Performed {
        var grounds = Grounds()
        do { return try await perform(call, &grounds) } catch {
            throw Refused(refusal: error.refusal, call: error.call, grounds: grounds)
        }
    }

    private func perform(_ call: Checked, _ grounds: inout Grounds) async throws(Refused) -> Performed {
        try await decide(call, &grounds)
        let decided = ports.clock.nowNanoseconds
        guard !Task.isCancelled else { throw cancelled(call) }
        var holdings = try await reserve(call)
        var approval: Approval?
        do throws(Refused) {
            try await take(call, &holdings, &grounds)
            try await settle(call, decided, &approval, &holdings, &grounds)
            guard !Task.isCancelled else { throw cancelled(call) }
            let decisionID = DecisionID.make()
            if let approval {
                try await use(approval, call, decisionID: decisionID)
                grounds.approval = approval.id
            }
            let record = record(call, .allow, rule: grounds.rule, grounds: grounds, id: decisionID)
            let isLogged = await write(record)
            guard isLogged || isReadWithoutLog(call) else { throw logUnavailable(call) }
            ports.metrics.decided(.allow, tool: call.tool.name)
            return await dispatch(call, decisionID: decisionID, isLogged: isLogged, holdings)
        } catch {
            await shielded { [holdings] in await holdings.refund() }
            if let approval { await leave(approval) }
            throw error
        }
    }

    /// Brings the decision up to date: one that has become old is made again, and so is one that people were asked about, with the policies
    /// and the session as they are by then.
    private func settle(
        _ call: Checked, _ decided: Int64, _ approval: inout Approval?, _ holdings: inout Holdings, _ grounds: inout Grounds
    ) async throws(Refused) {
        var asked = 0
        var isOld = since(decided) > SupervisorLimits.decisionAgeMax
        while true {
            guard !Task.isCancelled else { throw cancelled(call) }
            if isOld {
                try await decide(call, &grounds)
                try await take(call, &holdings, &grounds)
            }
            guard case .needsApproval(let demand)? = grounds.ruling?.verdict else { return }
            if let approval {
                if isMet(demand, by: approval) { return }
                await leave(approval)
            }
            guard asked < SupervisorLimits.approvalAsksMax else {
                let message = "The policies ask for other approvers than those that agreed."
                throw refused(call, RefusalCode.approvalOutdated, message, rule: demand.rule)
            }
            asked += 1
            approval = try await agreement(to: demand, call, &grounds)
            isOld = true
        }
    }

    private func isReadWithoutLog(_ call: Checked) -> Bool {
        guard ports.readsWithoutLog, call.tool.effect == .read else { return false }
        ports.metrics.unlogged(tool: call.tool.name)
        return true
    }

    private func dispatch(_ call: Checked, decisionID: String, isLogged: Bool, _ holdings: Holdings) async -> Performed {
        guard let adapter = supervisor.adapters[call.tool.name] else {
            preconditionFailure("the supervisor was made without an adapter for \(call.tool.name)")
        }
        checked(call.tool, call.shown)
        let scope = CallScope(told: told)
        let admitted = AdmittedCall(
            definition: call.tool, arguments: call.arguments, digest: call.digest, caller: request.caller, callID: request.callID,
            source: request.source, idempotencyKey: request.idempotencyKey, decisionID: decisionID, deadline: call.tool.timeout,
            told: { scope.tell($0) }, refused: { [supervisor, request] in supervisor.refused($0, in: request, scope) },
            nested: { [supervisor, request] nested in await supervisor.nested(nested, in: request, scope) })
        let begun = ports.clock.nowNanoseconds
        let gate = supervisor.gate
        let ending = await Dispatch(adapter: adapter, call: admitted, clock: ports.clock, abandonedIsDone: { gate.release() }).run()
        scope.close()
        let dispatched = CallEnding(ending, limit: call.tool.outputBytes)
        if dispatched.goesOn { ports.metrics.abandoned(tool: call.tool.name) }
        let took = since(begun)
        let isCharged = dispatched.certainty != .noEffect
        let result = dispatched.value.map { $0.canonicalBytes }
        let outcome = DecisionOutcome(
            id: decisionID, status: dispatched.status, code: dispatched.code, resultDigest: result.map { Digest.hex(Digest.sha256($0)) },
            bytes: dispatched.bytes, elapsed: took, isCharged: isCharged)
        ports.metrics.called(tool: call.tool.name, status: dispatched.status, elapsed: took)
        await shielded { [log = ports.log, caller = request.caller] in
            if isCharged { await holdings.commit() } else { await holdings.refund() }
            if isLogged { await log.record(outcome, of: caller) }
        }
        let answer = CallResult(outcome: dispatched.outcome, decisionID: isLogged ? decisionID : nil, elapsed: elapsed)
        return Performed(result: answer, certainty: dispatched.certainty, goesOn: dispatched.goesOn)
    }
}

extension ToolSupervisor {
    /// A call that code attempted and that never became one. It is recorded, and told of as a step of its own.
    func refused(_ attempt: RefusedAttempt, in parent: CallRequest, _ scope: CallScope) {
        guard let child = scope.nextChild() else { return }
        let request = CallRequest(
            caller: parent.caller, callID: "\(parent.callID).\(child)", parentCallID: parent.callID, source: .code,
            tool: attempt.tool, arguments: .object(JSONObject()))
        let refusal = attempted(request, as: Refusal(code: attempt.code, message: attempt.message, rule: RuleID.channel))
        let result = CallResult(outcome: .denied(refusal), decisionID: refusal.decisionID, elapsed: .zero)
        scope.tell(
            .nested(
                ToolNews.NestedNews(
                    callID: request.callID, parentCallID: parent.callID, tool: SafeText.shown(attempt.tool), status: .error,
                    data: result.news)))
    }

    /// A call of the code that another call runs. It is told of as a step of its own.
    func nested(_ nested: NestedCall, in parent: CallRequest, _ scope: CallScope) async -> CallResult {
        let child = scope.nextChild()
        let request = CallRequest(
            caller: parent.caller, callID: "\(parent.callID).\(child ?? 0)", parentCallID: parent.callID, source: .code,
            tool: nested.tool, arguments: .object(nested.arguments), idempotencyKey: nested.idempotencyKey)
        guard let child else {
            let refusal = Refusal(code: RefusalCode.callOver, message: "The call that runs this code is over.", rule: RuleID.callOver)
            return await Attempt(self, request, told: { _ in }, checked: { _, _ in }).refuse(refusal)
        }
        let shown = SafeText.shown(nested.tool)
        return await scope.run(child) {
            // What else a call tells is its step's; the people who are asked see who asks.
            let told: @Sendable (ToolNews) -> Void = { if case .approval = $0 { scope.tell($0) } }
            let attempt = Attempt(self, request, told: told) { _, arguments in
                scope.tell(
                    .nested(
                        ToolNews.NestedNews(
                            callID: request.callID, parentCallID: parent.callID, tool: shown, status: .running,
                            data: JSONObject([("args", arguments)]))))
            }
            let result = await attempt.run()
            scope.tell(
                .nested(
                    ToolNews.NestedNews(
                        callID: request.callID, parentCallID: parent.callID, tool: shown, status: result.status, data: result.news)))
            return result
        }
    }
}

extension CallResult {
    fileprivate var status: ToolNews.NestedNews.Status {
        guard case .value = outcome else { return .error }
        return .completed
    }

    /// For the step that ends a nested call.
    fileprivate var news: JSONObject {
        var news = ending
        if let decisionID { news["decision_id"] = .string(decisionID) }
        return news
    }

    private var ending: JSONObject {
        switch outcome {
        case .value(let value): return JSONObject([("decision", "allow"), ("result", value)])
        case .denied(let refusal):
            let error = JSONObject([("code", .string(refusal.code)), ("message", .string(refusal.message))])
            return JSONObject([("decision", "deny"), ("rule", .string(refusal.rule)), ("error", .object(error))])
        case .failed(let code, let message, let value):
            let error = JSONObject([("code", .string(code)), ("message", .string(message))])
            var ending = JSONObject([("decision", "allow"), ("error", .object(error))])
            ending["result"] = value
            return ending
        }
    }
}
