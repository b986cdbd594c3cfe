internal import Digest
internal import JSON

extension Attempt {
    /// What is known of a call's effect.
    enum Certainty: Sendable, Hashable {
        case known, unknown, noEffect
    }

    struct Performed {
        var result: CallResult
        let certainty: Certainty
        let goesOn: Bool
    }

    /// What a call has gathered on its way.
    private struct Passage {
        var grounds = Grounds()
        var holdings: Holdings?
        var approval: Approval?
        /// How often people were asked.
        var asked = 0
        /// The decision has to be made again.
        var isOld = false
    }

    /// Decides, reserves, asks, records, and makes the call.
    func perform(_ call: Checked) async throws(Refused) -> Performed {
        let session = ports.decider.looksAtSession ? SessionTurns.Session(request.caller) : nil
        if let session { supervisor.turns.begin(session) }
        defer { if let session { supervisor.turns.end(session) } }
        var passage = Passage()
        do { return try await perform(call, session, &passage) } catch {
            if let holdings = passage.holdings { await shielded { await holdings.refund() } }
            if let approval = passage.approval { await leave(approval) }
            throw Refused(refusal: error.refusal, call: error.call, grounds: passage.grounds)
        }
    }

    private func perform(
        _ call: Checked, _ session: SessionTurns.Session?, _ passage: inout Passage
    ) async throws(Refused) -> Performed {
        try await decide(call, &passage.grounds)
        let decided = ports.clock.nowNanoseconds
        guard !Task.isCancelled else { throw cancelled(call) }
        passage.holdings = try await reserve(call)
        try await take(call, &passage)
        passage.isOld = since(decided) > SupervisorLimits.decisionAgeMax
        try await settle(call, &passage)
        if let session { try await takeTurn(in: session, call, &passage) }
        let decisionID = DecisionID.make()
        let isLogged: Bool
        do throws(Refused) { isLogged = try await record(call, decisionID, &passage) } catch {
            if let session { supervisor.turns.give(session, hasRecorded: true) }
            throw error
        }
        if let session { supervisor.turns.give(session, hasRecorded: true) }
        ports.metrics.decided(.allow, tool: call.tool.name)
        guard let holdings = passage.holdings else { preconditionFailure("a call that holds nothing") }
        var performed = await dispatch(call, decisionID: decisionID, isLogged: isLogged, holdings)
        performed.result.allowedBy = passage.grounds.rule
        return performed
    }

    /// Waits until no other call of the session is being recorded; then the decision knows all that were.
    private func takeTurn(in session: SessionTurns.Session, _ call: Checked, _ passage: inout Passage) async throws(Refused) {
        while true {
            await supervisor.turns.take(session)
            if supervisor.turns.recorded(in: session) == passage.grounds.turn { return }
            supervisor.turns.give(session, hasRecorded: false)
            // Each time another call was recorded, so this ends with the last of them.
            passage.isOld = true
            try await settle(call, &passage)
        }
    }

    /// Brings the decision up to date: one that has become old is made again, and so is one that people were asked about, with the policies
    /// and the session as they are by then.
    private func settle(_ call: Checked, _ passage: inout Passage) async throws(Refused) {
        while true {
            guard !Task.isCancelled else { throw cancelled(call) }
            if passage.isOld {
                try await decide(call, &passage.grounds, again: true)
                try await take(call, &passage)
                passage.isOld = false
            }
            guard case .needsApproval(let demand)? = passage.grounds.ruling?.verdict else { return }
            if let approval = passage.approval {
                if isMet(demand, by: approval) { return }
                await leave(approval)
                passage.approval = nil
            }
            guard passage.asked < SupervisorLimits.approvalAsksMax else {
                let message = "The policies ask for other approvers than those that agreed."
                throw refused(call, RefusalCode.approvalOutdated, message, rule: demand.rule)
            }
            passage.asked += 1
            passage.approval = try await agreement(to: demand, call, &passage.grounds)
            passage.isOld = true
        }
    }

    private func take(_ call: Checked, _ passage: inout Passage) async throws(Refused) {
        guard var holdings = passage.holdings else { preconditionFailure("limits are taken after budgets") }
        defer { passage.holdings = holdings }
        try await take(call, &holdings, &passage.grounds)
    }

    /// Uses the approval up, if there is one, and records that the call is made.
    ///
    /// - Returns: whether the record is durable; a tool that only reads may be called all the same, where the configuration says so.
    private func record(_ call: Checked, _ decisionID: String, _ passage: inout Passage) async throws(Refused) -> Bool {
        guard !Task.isCancelled else { throw cancelled(call) }
        if let approval = passage.approval {
            try await use(approval, call, decisionID: decisionID)
            passage.grounds.approval = approval.id
        }
        let grounds = passage.grounds
        let isLogged = await write(record(call, .allow, rule: grounds.rule, grounds: grounds, id: decisionID))
        guard isLogged || isReadWithoutLog(call) else { throw logUnavailable(call) }
        return isLogged
    }

    private func isReadWithoutLog(_ call: Checked) -> Bool {
        guard ports.readsWithoutLog, call.tool.effect == .read else { return false }
        ports.metrics.unlogged(tool: call.tool.name)
        return true
    }

    private func dispatch(_ call: Checked, decisionID: String, isLogged: Bool, _ holdings: Holdings) async -> Performed {
        guard let adapter = standing.adapters[call.tool.name] else {
            preconditionFailure("the supervisor was made without an adapter for \(call.tool.name)")
        }
        checked(call.tool, call.shown)
        let scope = CallScope(told: told)
        let admitted = AdmittedCall(
            definition: call.tool, arguments: call.arguments, digest: call.digest, caller: request.caller, callID: request.callID,
            source: request.source, idempotencyKey: request.idempotencyKey.map { request.caller.idempotencyKey($0).upstream },
            decisionID: decisionID, deadline: call.tool.timeout,
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
