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

    /// Decides, reserves, records, and makes the call.
    func perform(_ call: Checked) async throws(Refused) -> Performed {
        var rule = try await decide(call)
        let decided = ports.clock.nowNanoseconds
        guard !Task.isCancelled else { throw cancelled(call) }
        let reservation = try await reserve(call)
        do throws(Refused) {
            // The place of the wait for an approval: what was decided before a wait is decided again after it.
            if since(decided) > SupervisorLimits.decisionAgeMax { rule = try await decide(call) }
            guard !Task.isCancelled else { throw cancelled(call) }
            let record = record(call, .allow, rule: rule)
            guard await write(record) else { throw logUnavailable(call) }
            ports.metrics.decided(.allow, tool: call.tool.name)
            return await dispatch(call, decisionID: record.id, reservation)
        } catch {
            await shielded { await reservation.refund() }
            throw error
        }
    }

    /// - Returns: the rule that allows it.
    private func decide(_ call: Checked) async throws(Refused) -> String {
        if let refusal = supervisor.builtIn.refusal(of: call.tool, source: request.source) { throw Refused(refusal: refusal, call: call) }
        let question = DecisionRequest(
            tool: call.tool, arguments: call.arguments, digest: call.digest, caller: request.caller, callID: request.callID,
            parentCallID: request.parentCallID, source: request.source, now: ports.clock.unixMilliseconds)
        switch await ports.decider.decide(question).verdict {
        case .allow(let rule): return rule
        case .deny(let refusal): throw Refused(refusal: refusal, call: call)
        case .needsApproval(let demand):
            let message = "This call needs an approval, and there is nobody to ask."
            throw refused(call, RefusalCode.approvalUnavailable, message, rule: demand.rule)
        }
    }

    private func reserve(_ call: Checked) async throws(Refused) -> any CallReservation {
        switch await ports.meter.reserve(tool: call.tool.name, cost: call.tool.cost, caller: request.caller) {
        case .admitted(let reservation): return reservation
        case .refused(let refused):
            throw Refused(
                refusal: Refusal(
                    code: refused.kind.rawValue, message: refused.message, rule: RuleID.accounting, details: refused.details),
                call: call)
        case .unavailable:
            let message = "The budgets cannot be asked, so nothing is called."
            throw refused(call, RefusalCode.accountingUnavailable, message, rule: RuleID.accounting)
        }
    }

    private func dispatch(_ call: Checked, decisionID: String, _ reservation: any CallReservation) async -> Performed {
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
            if isCharged { await reservation.commit() } else { await reservation.refund() }
            await log.record(outcome, of: caller)
        }
        let answer = CallResult(outcome: dispatched.outcome, decisionID: decisionID, elapsed: elapsed)
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
            let attempt = Attempt(self, request, told: { _ in }) { _, arguments in
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
