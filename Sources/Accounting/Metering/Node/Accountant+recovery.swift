internal import Synchronization

/// After the counters have lost data (``Epoch``): seal what was, start a new life, bring in what we hold.
extension Accountant {
    /// Starts the org's counters in the store's present life, if they are not in it. Callers at one time share the work.
    ///
    /// - Returns: false when a store did not answer; nothing is decided for the org until it does.
    func recover(org: CounterSlot) async -> Bool {
        let task = state.withLock { state -> Task<Bool, Never> in
            if let task = state.recovering[org] { return task }
            // Not structured: several runs wait for it, and one that is cancelled must not take it from the others.
            let task = start { await self.performRecovery(org: org) }
            state.recovering[org] = task
            return task
        }
        return await task.value
    }

    private func performRecovery(org: CounterSlot) async -> Bool {
        defer { state.withLock { $0.recovering[org] = nil } }
        guard let root else { return false }
        do {
            // Whoever may hold something is waited for; nothing is opened before this is known.
            try await root.beat(holder)
            let last = try await root.life(org: org)?.epoch.number ?? 0
            // Rows that the last life has left in the store are charges all the same: in they go before it is sealed.
            try await store.flushRows(org: org)
            let incarnation = store.incarnation(org: org)
            guard !incarnation.isEmpty else { return false }
            let life = try await root.seal(org: org, incarnation: incarnation, after: last)
            // Another process has begun the life of counters that are not those that we see: look again.
            guard life.epoch.incarnation == incarnation else { return false }
            guard case .done = try await apply(.begin(org: org, life.epoch)) else { return false }
            state.withLock { state in
                guard state.lives[org] != life.epoch else { return }
                state.lives[org] = life.epoch
                state.known = state.known.filter { $0.org != org }
                state.claimed[org] = nil
            }
            if life.isCleared {
                guard case .done = try await apply(.clear(org: org, epoch: life.epoch.number)) else { return false }
                state.withLock { $0.cleared[org] = life.epoch.number }
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
        await proveSettlements()
        guard let root, state.withLock({ $0.leases.isEmpty && $0.settlements.isEmpty && !$0.hasForgotten }), board?.isEmpty ?? true else {
            return
        }
        // A root that is away is told by the next start of this node.
        try? await root.leave(holder)
    }

    private func performAnswers() async {
        guard let root else { return }
        await proveSettlements()
        do {
            try await root.beat(holder)
            state.withLock { $0.isKnown = true }
            let pending = try await root.pending()
            for (org, epoch) in pending.sorted(by: { $0.key < $1.key }) { await answer(for: org, epoch) }
            // Cleared, and the counters were not reached: `recover` tells them.
            let untold = state.withLock { state in state.lives.filter { state.cleared[$0.key] != $0.value.number }.keys.sorted() }
            for org in untold where pending[org] == nil { _ = await recover(org: org) }
        } catch {
            // The root is away: nobody is granted anything new meanwhile, and the next round asks again.
            return
        }
    }

    private func answer(for org: CounterSlot, _ epoch: Epoch) async {
        guard let root, epoch.incarnation == store.incarnation(org: org) else { return }
        let isNew = state.withLock { $0.claimed[org] != epoch.number }
        if isNew {
            // Sealed by another process: this one's memory of the store is of an earlier life.
            guard await recover(org: org) else { return }
            for lease in state.withLock({ $0.leases.sorted { $0.key < $1.key }.map(\.value) }) where lease.counters == org {
                if case .failed = await lease.reclaim() { return }
            }
            // After the leases: one that has rolled meanwhile has left its former self here.
            let settlements = state.withLock { state in
                for (number, open) in state.settlements where open.settlement.command.lease.org == org {
                    // What earlier counters have taken and the ledger does not show is settled anew.
                    if case .settled(let life) = open.phase, life != epoch {
                        state.settlements[number]?.phase = .postponed
                    }
                }
                return state.settlements.sorted { $0.key < $1.key }.map(\.value)
            }
            for open in settlements where open.settlement.command.lease.org == org && open.phase != .settled(epoch) {
                guard let claim = open.settlement.claim else { continue }
                if case .failed = await reclaim(claim, sequence: open.settlement.command.sequence - 1) { return }
            }
            state.withLock { $0.claimed[org] = epoch.number }
        }
        guard (try? await root.confirm(org: org, epoch: epoch, holder: holder)) == true else { return }
        // Unanswered, it is repeated in the next round.
        guard case .done = try? await applyTwice(.clear(org: org, epoch: epoch.number)) else { return }
        state.withLock { $0.cleared[org] = epoch.number }
    }

    /// Makes a lease that the store does not know known again: held is what was granted and is not in the ledger.
    ///
    /// - Parameter sequence: of the last command that counts as decided; the next one is decided anew.
    func reclaim(_ claim: LeaseClaim, sequence: Int64) async -> ClaimOutcome {
        // The ledger is asked when no row of an earlier life can be added to it any more, and the answer is worth something in this life only.
        let org = claim.lease.org
        if state.withLock({ $0.lives[org] == nil }), await !recover(org: org) { return .failed }
        guard let life = state.withLock({ $0.lives[org] }) else { return .failed }
        do {
            try await store.flushRows(org: claim.lease.org)
            let charges = try await ledger.charges(of: claim.lease, run: claim.attribution.run)
            guard !charges.isSettled else { return .settled }
            guard await bringIn(claim.path, org: claim.lease.org) else { return .failed }
            let sum = charges.sum
            let spent = Spent(nanoUSD: sum.nanoUSD, usage: sum.usage, requests: sum.requests, calls: sum.calls)
            let held = (claim.granted - spent.amounts).upperBound(.zero)
            let command = AssertLease(
                lease: claim.lease, holder: holder, attribution: claim.attribution, path: claim.path, held: held, spent: spent,
                sequence: max(0, sequence), ttl: ttl)
            switch try await applyTwice(.assert(command), in: life) {
            case .done, .suspended: return .known
            // Another process has answered for it, or its last holder has settled it without a difference.
            case .staleFence: return .settled
            case .lost: _ = await recover(org: org)
            case .missing(let keys, _): forget(keys, org: claim.lease.org)
            default: break
            }
            return .failed
        } catch {
            return .failed
        }
    }

    /// The store does not have these windows, whatever we thought.
    func forget(_ keys: [WindowKey], org: CounterSlot) {
        state.withLock { state in state.known = state.known.filter { $0.org != org || !keys.contains($0.key) } }
    }
}
