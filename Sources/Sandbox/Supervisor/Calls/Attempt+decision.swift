internal import JSON

extension Attempt {
    /// Asks the built-in rules and the decider, with the session as it is now. The grounds then have the ruling.
    ///
    /// - Parameter again: whether the call was decided about before, and waited: then by all that is in force by now.
    func decide(_ call: Checked, _ grounds: inout Grounds, again: Bool = false) async throws(Refused) {
        let caller = request.caller
        let decider = try decider(call, again: again)
        let builtIn =
            supervisor.builtIn.refusal(of: call.tool, source: request.source)
            ?? supervisor.builtIn.refusal(of: call.tool, call.arguments, for: caller)
        if let builtIn { throw Refused(refusal: builtIn, call: call) }
        let looks = decider.looksAtSession
        // Also where nothing is read of it: whoever has waited for a turn compares it.
        grounds.turn = supervisor.turns.recorded(in: SessionTurns.Session(caller))
        let session = looks ? try await session(call) : SessionState()
        let question = DecisionRequest(
            tool: call.tool, arguments: call.arguments, digest: call.digest, caller: caller, callID: request.callID,
            parentCallID: request.parentCallID, source: request.source, session: session, isSessionRead: looks,
            now: ports.clock.unixMilliseconds)
        let ruling = await decider.decide(question)
        grounds.ruling = ruling
        grounds.readings = []
        if case .deny(let refusal) = ruling.verdict { throw Refused(refusal: refusal, call: call) }
    }

    /// The policies as they are now: they are of the call's own catalog, or of a later one that still has the tool.
    private func decider(_ call: Checked, again: Bool) throws(Refused) -> any Decider {
        let now = supervisor.standing()
        guard now.number != standing.number else { return now.decider }
        guard again else { return standing.decider }
        guard now.catalog[call.tool.name] != nil else {
            throw refused(call, RefusalCode.unknownTool, "\(call.tool.name) was removed meanwhile.", rule: RuleID.unknownTool)
        }
        return now.decider
    }

    private func session(_ call: Checked) async throws(Refused) -> SessionState {
        guard let calls = await ports.sessions.calls(of: request.caller), calls.count <= SupervisorLimits.sessionCallsMax else {
            guard !Task.isCancelled else { throw cancelled(call) }
            let message = "Nobody can say what this session has done, so nothing is called."
            throw refused(call, RefusalCode.sessionUnavailable, message, rule: RuleID.session)
        }
        guard !call.masked.isEmpty else { return SessionState(calls) }
        // A decider compares the arguments with the session: what is masked in the log is itself again where the call has it.
        return SessionState(
            calls.map { made in
                SessionCall(
                    tool: made.tool, subject: call.masked[made.subject] ?? made.subject, isDone: made.isDone, isApproved: made.isApproved)
            })
    }

    /// Holds the call in every budget and rate.
    func reserve(_ call: Checked) async throws(Refused) -> Holdings {
        switch await ports.meter.reserve(tool: call.tool.name, cost: call.tool.cost, caller: request.caller) {
        case .admitted(let reservation): return Holdings(meter: reservation, counter: ports.limits, caller: request.caller)
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

    /// Takes the ruling's limits, unless they are held already. Others that are held are given back first: a call is counted once.
    func take(_ call: Checked, _ holdings: inout Holdings, _ grounds: inout Grounds) async throws(Refused) {
        let demands = grounds.ruling?.limits ?? []
        guard holdings.limits?.demands ?? [] != demands else {
            grounds.readings = holdings.limits?.readings ?? []
            return
        }
        await holdings.refundLimits()
        guard !demands.isEmpty else { return }
        switch await holdings.take(demands, as: DecisionID.make("lim_")) {
        case .reserved(let readings): grounds.readings = readings
        case .exceeded(let reading):
            grounds.readings = [reading]
            throw Refused(refusal: exceeded(reading), call: call)
        case .unavailable:
            let message = "The limits cannot be asked, so nothing is called."
            throw refused(call, RefusalCode.accountingUnavailable, message, rule: demands[0].rule)
        }
    }

    private func exceeded(_ reading: LimitReading) -> Refusal {
        let demand = reading.demand
        let (used, cap) = (FixedPoint.text(reading.used, places: demand.places), FixedPoint.text(demand.cap, places: demand.places))
        var details = JSONObject([("limit", .string(demand.text)), ("used", .string(used)), ("max", .string(cap))])
        if let resetsAt = reading.resetsAt {
            details["resets_at"] = .integer(resetsAt)
            details["retry_after"] = .integer(max(0, resetsAt - ports.clock.unixMilliseconds + 999) / 1_000)
        }
        let message = "The limit \"\(demand.text)\" has no room for this call: \(used) of \(cap) is used."
        return Refusal(code: RefusalCode.limitExceeded, message: message, rule: demand.rule, details: details)
    }
}

/// What a call holds until it is made: in budgets and rates, and in the limits of policies. A value; exactly one of ``commit()`` and
/// ``refund()`` is said at the end.
struct Holdings: Sendable {
    struct Limits: Sendable {
        let reservation: String
        let demands: [LimitDemand]
        let readings: [LimitReading]
    }

    let meter: any CallReservation
    let counter: any LimitCounter
    let caller: CallerIdentity
    private(set) var limits: Limits?

    init(meter: any CallReservation, counter: any LimitCounter, caller: CallerIdentity) {
        self.meter = meter
        self.counter = counter
        self.caller = caller
    }

    /// In a task of its own, as is the giving back: a cancellation must not leave something taken that nobody knows of.
    mutating func take(_ demands: [LimitDemand], as reservation: String) async -> LimitAnswer {
        let answer = await Task { [counter, caller] in
            let answer = await counter.reserve(demands, as: reservation, for: caller)
            // Perhaps it was taken, and only the answer is lost.
            if answer == .unavailable { await counter.refund(reservation, for: caller) }
            return answer
        }.value
        if case .reserved(let readings) = answer { limits = Limits(reservation: reservation, demands: demands, readings: readings) }
        return answer
    }

    mutating func refundLimits() async {
        guard let held = limits else { return }
        limits = nil
        await Task { [counter, caller] in await counter.refund(held.reservation, for: caller) }.value
    }

    /// The call was made, or may have been.
    func commit() async { await meter.commit() }

    /// The call has certainly had no effect.
    func refund() async {
        await meter.refund()
        if let limits { await counter.refund(limits.reservation, for: caller) }
    }
}
