internal import Synchronization

/// After the counters have lost data (``Epoch``): seal what was, start a new life, bring in what we hold.
extension Accountant {
    /// Starts the org's counters in the store's present life, if they are not in it. Callers at one time share the work.
    ///
    /// - Returns: false when a store did not answer; nothing is decided for the org until it does.
    func recover(org: String) async -> Bool {
        let task = state.withLock { state -> Task<Bool, Never> in
            if let task = state.recovering[org] { return task }
            // Not structured: several runs wait for it, and one that is cancelled must not take it from the others.
            let task = start { await self.performRecovery(org: org) }
            state.recovering[org] = task
            return task
        }
        return await task.value
    }

    private func performRecovery(org: String) async -> Bool {
        defer { state.withLock { $0.recovering[org] = nil } }
        guard let root else { return false }
        do {
            // Rows that the last life has left in the store are charges all the same: in they go before it is sealed.
            try await store.flushRows(org: org)
            let incarnation = store.incarnation(org: org)
            guard !incarnation.isEmpty else { return false }
            let life = try await root.seal(org: org, incarnation: incarnation)
            guard case .done = try await apply(.begin(org: org, life.epoch)) else { return false }
            state.withLock { state in
                guard state.lives[org] != life.epoch.number else { return }
                state.lives[org] = life.epoch.number
                state.known = state.known.filter { $0.org != org }
                state.claimed[org] = nil
            }
            if life.isCleared {
                guard case .done = try await apply(.clear(org: org, epoch: life.epoch.number)) else { return false }
            }
            return true
        } catch {
            return false
        }
    }

    /// Brings all that this process holds into the lives that wait for it, and clears those that nobody else holds up.
    /// One round at a time; who asks meanwhile waits for it.
    func answerForLives() async {
        let task = state.withLock { state -> Task<Void, Never> in
            if let task = state.answering { return task }
            // Not structured: streams that wait for it may end before it does.
            let task = start {
                await self.performAnswers()
                self.state.withLock { $0.answering = nil }
            }
            state.answering = task
            return task
        }
        await task.value
    }

    /// - Returns: false while the durable root cannot be told of this process.
    func introduce() async -> Bool {
        guard root != nil, !state.withLock({ $0.isKnown }) else { return true }
        await answerForLives()
        return state.withLock { $0.isKnown }
    }

    /// Ends this process's part: nothing of it is missing when the counters lose their data from now on.
    ///
    /// Does nothing while something is unsettled: then its next start has to answer for it.
    public func leave() async {
        guard let root, state.withLock({ $0.leases.isEmpty && $0.pending.isEmpty }), board?.isEmpty ?? true else { return }
        // A root that is away is told by the next start of this node.
        try? await root.leave(holder)
    }

    private func performAnswers() async {
        guard let root else { return }
        do {
            try await root.beat(holder)
            state.withLock { $0.isKnown = true }
            for (org, epoch) in try await root.pending().sorted(by: { $0.key < $1.key }) { await answer(for: org, epoch) }
        } catch {
            // The root is away: nobody is granted anything new meanwhile, and the next round asks again.
            return
        }
    }

    private func answer(for org: String, _ epoch: Epoch) async {
        guard let root, epoch.incarnation == store.incarnation(org: org) else { return }
        let isNew = state.withLock { $0.claimed[org] != epoch.number }
        if isNew {
            // Sealed by another process: this one's memory of the store is of an earlier life.
            guard await recover(org: org) else { return }
            let (leases, pending) = state.withLock { state in (Array(state.leases.values), state.pending) }
            for lease in leases where lease.attribution.path.org == org {
                if case .failed = await lease.reclaim() { return }
            }
            for settlement in pending where settlement.command.lease.org == org {
                guard let claim = settlement.claim else { continue }
                if case .failed = await reclaim(claim, sequence: settlement.command.sequence - 1) { return }
            }
            state.withLock { $0.claimed[org] = epoch.number }
        }
        guard (try? await root.confirm(org: org, epoch: epoch, holder: holder)) == true else { return }
        // Unanswered, it is repeated: the root says that the life is cleared, and `recover` carries that to the store.
        _ = try? await applyTwice(.clear(org: org, epoch: epoch.number))
    }

    /// Makes a lease that the store does not know known again: held is what was granted and is not in the ledger.
    ///
    /// - Parameter sequence: of the last command that counts as decided; the next one is decided anew.
    func reclaim(_ claim: LeaseClaim, sequence: Int64) async -> ClaimOutcome {
        do {
            try await store.flushRows(org: claim.lease.org)
            let charges = try await ledger.charges(of: claim.lease, run: claim.attribution.run)
            guard !charges.isSettled else { return .settled }
            guard await bringIn(claim.path, org: claim.lease.org) else { return .failed }
            let spent = Spent(nanoUSD: charges.sum.nanoUSD, usage: charges.sum.usage, requests: charges.sum.requests)
            let held = (claim.granted - spent.amounts).upperBound(.zero)
            let command = AssertLease(
                lease: claim.lease, holder: holder, attribution: claim.attribution, path: claim.path, held: held, spent: spent,
                sequence: max(0, sequence), ttl: ttl)
            switch try await applyTwice(.assert(command)) {
            case .done, .suspended: return .known
            case .missing(let keys, _): forget(keys, org: claim.lease.org)
            default: break
            }
            return .failed
        } catch {
            return .failed
        }
    }

    /// The store does not have these windows, whatever we thought.
    func forget(_ keys: [WindowKey], org: String) {
        state.withLock { state in state.known = state.known.filter { $0.org != org || !keys.contains($0.key) } }
    }
}
