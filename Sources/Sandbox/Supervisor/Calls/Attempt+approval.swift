internal import JSON

extension Attempt {
    /// Asks people, and waits until they have agreed; takes over what was asked or agreed before about the same call.
    ///
    /// - Throws: for every other ending. What was asked of people is over then, unless the server shuts down.
    func agreement(to demand: ApprovalDemand, _ call: Checked, _ grounds: inout Grounds) async throws(Refused) -> Approval {
        guard let desk = ports.approvals else {
            let message = "This call needs an approval, and there is nobody to ask."
            throw refused(call, RefusalCode.approvalUnavailable, message, rule: demand.rule)
        }
        let asked = try await ask(demand, call, grounds, desk)
        grounds.asked = asked.id
        tell(asked, call)
        let ended = try await ending(of: asked, call, desk)
        switch ended.state {
        case .approved: return ended
        case .pending: preconditionFailure("a call waits until its approval is over")
        case .denied:
            let reasons = ended.votes.filter { $0.answer == .deny }.map(\.reason).joined(separator: " ")
            throw refused(call, RefusalCode.approvalDenied, "An approver denied this call: \(reasons)", ended)
        case .expired: throw refused(call, RefusalCode.approvalExpired, "Nobody decided about this call in time.", ended)
        case .cancelled, .superseded:
            throw refused(call, RefusalCode.approvalCancelled, "The approval was cancelled before anybody decided.", ended)
        }
    }

    /// Uses the approval up, for this call alone.
    func use(_ approval: Approval, _ call: Checked, decisionID: String) async throws(Refused) {
        guard let desk = ports.approvals else { preconditionFailure("an approval without a desk") }
        switch await desk.change(approval.id, of: approval.org, by: .use(question(call), decision: decisionID)) {
        case .success: return
        case .failure(let refusal):
            let code =
                switch refusal.code {
                case .used: RefusalCode.approvalUsed
                case .expired: RefusalCode.approvalExpired
                case .unavailable: RefusalCode.approvalUnavailable
                default: RefusalCode.approvalOutdated
                }
            throw refused(call, code, refusal.message, approval)
        }
    }

    /// Whether those that agreed are enough for the demand as it is now, and for this caller, who may have come with another key.
    func isMet(_ demand: ApprovalDemand, by approval: Approval) -> Bool {
        let caller = request.caller
        let others = approval.votes.filter { vote in
            vote.identity != caller.identity ?? caller.user && (vote.key == nil || vote.key != caller.key)
        }
        return ApprovalMachine.isMet(demand, by: others)
    }

    /// The call is not made: whoever makes the same one may use the approval.
    func leave(_ approval: Approval) async {
        guard let desk = ports.approvals else { return }
        _ = await desk.change(approval.id, of: approval.org, by: .leave)
    }

    // MARK: Asking

    private func ask(
        _ demand: ApprovalDemand, _ call: Checked, _ grounds: Grounds, _ desk: ApprovalDesk
    ) async throws(Refused) -> Approval {
        let question = question(call)
        guard let open = await desk.store.open(question) else { throw unavailable(call, demand) }
        if let joined = await joined(open, question, demand, desk) { return joined }
        try await checkDenials(of: question, demand, call, desk)
        let arguments = call.shown.canonicalBytes
        guard arguments.count <= SupervisorLimits.approvalArgumentsBytesMax else {
            let message = "This call needs an approval, and its arguments are longer than anybody reads."
            throw refused(call, RefusalCode.approvalTooLarge, message, rule: demand.rule)
        }
        let now = ports.clock.unixMilliseconds
        let caller = request.caller
        let approval = Approval(
            about: question, identity: caller.identity, key: caller.key, run: caller.run, callID: SafeText.shown(request.callID),
            subject: call.subject, arguments: String(decoding: arguments, as: UTF8.self), policy: grounds.ruling?.basis?.version ?? "",
            demand: demand, now: now, waitedUntil: lease(now))
        switch await desk.insert(approval) {
        case .inserted: return approval
        case .tooMany:
            let message = "Too many calls wait for approvals already."
            throw refused(call, RefusalCode.tooManyApprovals, message, rule: demand.rule)
        case .unavailable: throw unavailable(call, demand)
        }
    }

    /// An approval of exactly this call that nobody waits for any longer. One that asks for others than the policies now do is over.
    private func joined(
        _ open: [Approval], _ question: ApprovalQuestion, _ demand: ApprovalDemand, _ desk: ApprovalDesk
    ) async -> Approval? {
        for approval in open where approval.question.isSame(as: question) {
            // Keys that are bound to no user share no approval.
            guard !question.user.isEmpty || approval.key == request.caller.key else { continue }
            let now = ports.clock.unixMilliseconds
            guard approval.waitedUntil <= now, now < approval.expiresAt else { continue }
            switch approval.state {
            case .pending where approval.demand != demand:
                _ = await desk.change(approval.id, of: approval.org, by: .supersede)
            case .approved where !isMet(demand, by: approval): continue
            case .pending, .approved:
                let change = await desk.change(approval.id, of: approval.org, by: .join(until: lease(now)))
                if case .success(let joined) = change { return joined }
            case .denied, .expired, .cancelled, .superseded: continue
            }
        }
        return nil
    }

    /// People who said no twice are left alone for a while, however often a model asks.
    private func checkDenials(
        of question: ApprovalQuestion, _ demand: ApprovalDemand, _ call: Checked, _ desk: ApprovalDesk
    ) async throws(Refused) {
        let filter = ApprovalFilter(
            state: .denied, project: question.project, user: question.user, tool: question.tool, digest: question.digest)
        let looked = await desk.store.approvals(
            of: question.org, filter, before: nil, limit: SupervisorLimits.approvalsOpenMax)
        guard let looked else { throw unavailable(call, demand) }
        let time = SupervisorLimits.approvalDenialsTime.boundedNanoseconds / 1_000_000
        let now = ports.clock.unixMilliseconds
        let denials = looked.filter { approval in
            approval.votes.contains { $0.answer == .deny && !$0.isAgent } && (approval.endedAt ?? 0) > now - time
        }
        guard denials.count >= SupervisorLimits.approvalDenialsMax else { return }
        let ends = denials.compactMap(\.endedAt).sorted(by: >)[SupervisorLimits.approvalDenialsMax - 1] + time
        let details = JSONObject([("retry_after", .integer((ends - now + 999) / 1_000))])
        let message = "People denied this same call \(denials.count) times a short while ago, and are not asked again for now."
        throw Refused(
            refusal: Refusal(code: RefusalCode.approvalDeniedRecently, message: message, rule: demand.rule, details: details), call: call)
    }

    private func question(_ call: Checked) -> ApprovalQuestion {
        let caller = request.caller
        return ApprovalQuestion(
            org: caller.org, project: caller.project, user: caller.user, conversation: caller.conversation, tool: call.tool.name,
            digest: call.digest)
    }

    // MARK: Waiting

    /// Waits for what people say. Woken by a decision at this server, and looks for those at others.
    private func ending(of asked: Approval, _ call: Checked, _ desk: ApprovalDesk) async throws(Refused) -> Approval {
        let waiter = desk.waiter(for: asked.id)
        defer { desk.leave(asked.id, waiter) }
        let clock = ports.clock
        var (known, beaten) = (asked, clock.nowNanoseconds)
        while true {
            guard !Task.isCancelled else {
                await withdraw(asked, call, desk)
                throw cancelled(call)
            }
            var isKnown = true
            switch await desk.store.approval(asked.id, of: asked.org) {
            case .found(let found): known = news(of: found, since: known, call)
            case .missing: throw unavailable(call, asked.demand)
            case .unavailable: isKnown = false
            }
            if known.state.isFinal { return known }
            let now = clock.unixMilliseconds
            if now >= asked.expiresAt {
                guard isKnown else { throw unavailable(call, asked.demand) }
                _ = await desk.change(asked.id, of: asked.org, by: .tick)
            } else if since(beaten) >= SupervisorLimits.approvalBeatInterval {
                beaten = clock.nowNanoseconds
                _ = await desk.change(asked.id, of: asked.org, by: .wait(until: lease(now)))
            }
            let poll = SupervisorLimits.approvalPollInterval.boundedNanoseconds
            let left = asked.expiresAt - clock.unixMilliseconds
            await waiter.pause(until: clock.nowNanoseconds + (left > 0 ? min(poll, left * 1_000_000) : poll), clock)
        }
    }

    /// Nobody waits for the call any longer. A server that ends leaves the question to the next one.
    private func withdraw(_ asked: Approval, _ call: Checked, _ desk: ApprovalDesk) async {
        guard !supervisor.isShuttingDown else {
            _ = await desk.change(asked.id, of: asked.org, by: .leave)
            return
        }
        switch await desk.change(asked.id, of: asked.org, by: .cancel) {
        case .success(let ended): tell(ended, call)
        // Somebody decided in the same moment: that stands, and the call is not made all the same.
        case .failure: _ = await desk.change(asked.id, of: asked.org, by: .leave)
        }
    }

    private func news(of found: Approval, since known: Approval, _ call: Checked) -> Approval {
        if found.state != known.state || found.votes != known.votes { tell(found, call) }
        return found
    }

    private func tell(_ approval: Approval, _ call: Checked) {
        told(
            .approval(
                ToolNews.ApprovalNews(
                    id: approval.id, tool: approval.tool, arguments: call.shown, from: approval.demand.fromText,
                    quorum: approval.demand.quorum, agreed: approval.agreed, expiresAt: approval.expiresAt,
                    state: approval.state.rawValue)))
    }

    private func lease(_ now: Int64) -> Int64 { now + SupervisorLimits.approvalWaitLease.boundedNanoseconds / 1_000_000 }

    private func unavailable(_ call: Checked, _ demand: ApprovalDemand) -> Refused {
        guard !Task.isCancelled else { return cancelled(call) }
        let message = "This call needs an approval, and approvals cannot be kept at the moment."
        return refused(call, RefusalCode.approvalUnavailable, message, rule: demand.rule)
    }

    private func refused(_ call: Checked, _ code: String, _ message: String, _ approval: Approval) -> Refused {
        let details = JSONObject([("approval", .string(approval.id))])
        return Refused(refusal: Refusal(code: code, message: message, rule: approval.rule, details: details), call: call)
    }
}
