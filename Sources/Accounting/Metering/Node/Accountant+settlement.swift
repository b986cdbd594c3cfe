internal import Synchronization

extension Accountant {
    /// Settles a lease, trying again for a while.
    ///
    /// - Returns: nil when the store could not be reached; the settlement is then kept and tried by ``run()``.
    func settle(_ settlement: PendingSettlement) async -> (overrun: Amounts, windows: [WindowSnapshot])? {
        var pause = AccountingLimits.retryPause
        for attempt in 1...AccountingLimits.settleAttempts {
            switch await trySettle(settlement) {
            case .settled(let overrun, let windows): return (overrun, windows)
            case .pointless: return nil
            case .failed where attempt < AccountingLimits.settleAttempts:
                await clock.sleep(pause)
                pause = pause + pause
            case .failed: break
            }
        }
        postpone(settlement)
        return nil
    }

    /// Leaves a settlement to ``run()``.
    func postpone(_ settlement: PendingSettlement) {
        let count = state.withLock { state in
            if state.pending.count < AccountingLimits.pendingSettlements { state.pending.append(settlement) }
            return state.pending.count
        }
        metrics?.settlementsPending(count)
    }

    enum SettleOutcome {
        case settled(overrun: Amounts, windows: [WindowSnapshot])
        /// The store answered, and no repeat will change the answer.
        case pointless
        case failed
    }

    func trySettle(_ settlement: PendingSettlement) async -> SettleOutcome {
        let outcome = await decideSettlement(settlement)
        // An opening that may still arrive is not over.
        let isOver = settlement.mayOpenUntil.map { $0 <= clock.monotonic() } ?? true
        switch outcome {
        case .settled: settlement.note?.remove()
        case .pointless: if isOver { settlement.note?.remove() }
        case .failed: break
        }
        return outcome
    }

    private func decideSettlement(_ settlement: PendingSettlement) async -> SettleOutcome {
        let command = settlement.command
        do {
            switch try await apply(.settle(command)) {
            case .settled(let overrun, let windows, _): return .settled(overrun: overrun, windows: windows)
            case .lost: return await recover(org: command.lease.org) ? await settleAnew(settlement) : .failed
            case .unknownLease: return await settleAnew(settlement)
            default: return .pointless
            }
        } catch {
            return .failed
        }
    }

    /// The store has forgotten the lease: it is brought in again, and what the ledger lacks of it is charged.
    private func settleAnew(_ settlement: PendingSettlement) async -> SettleOutcome {
        guard let claim = settlement.claim, root != nil else { return .pointless }
        switch await reclaim(claim, sequence: settlement.command.sequence - 1) {
        case .known: break
        case .settled: return .pointless
        case .failed: return .failed
        }
        do {
            guard case .settled(let overrun, let windows, _) = try await apply(.settle(settlement.command)) else { return .pointless }
            return .settled(overrun: overrun, windows: windows)
        } catch {
            return .failed
        }
    }

    /// Heartbeats, late settlements and reaping, until the task is cancelled.
    public func run() async {
        let round = Milliseconds(ttl.rawValue / 6)
        guard root != nil else {
            while !Task.isCancelled {
                await tick()
                await clock.sleep(round)
            }
            return
        }
        var next = clock.monotonic()
        while !Task.isCancelled {
            if clock.monotonic() >= next {
                await tick()
                next = clock.monotonic() + round
            } else {
                await answerForLives()
            }
            await clock.sleep(min(round, AccountingLimits.answerPause))
        }
    }

    /// One round of ``run()``.
    public func tick() async {
        let (leases, pending) = state.withLock { state -> ([StreamLease], [PendingSettlement]) in
            defer { state.pending = [] }
            // In the order of admission: a round must not depend on how a dictionary is laid out.
            return (state.leases.sorted { $0.key < $1.key }.map(\.value), state.pending)
        }
        for lease in leases { lease.heartbeat() }
        var left: [PendingSettlement] = []
        rounds: for (index, settlement) in pending.enumerated() {
            let isLast = settlement.mayOpenUntil.map { $0 <= clock.monotonic() } ?? true
            switch await trySettle(settlement) {
            case .settled: break
            case .pointless: if !isLast { left.append(settlement) }
            case .failed:
                // The store is still away, or the part of it that has this org: the rest waits for the next round, before this one.
                left += pending[(index + 1)...] + [settlement]
                break rounds
            }
        }
        let count = state.withLock { [left] state in
            state.pending = left + state.pending
            return state.pending.count
        }
        metrics?.settlementsPending(count)
        await answerForLives()
        // A store that is away reaps when it is back.
        _ = try? await apply(.reap(org: nil, grace: AccountingLimits.reapGrace))
    }
}
