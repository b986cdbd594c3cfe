internal import Synchronization

extension Accountant {
    /// Settles a lease, trying again for a while.
    ///
    /// - Returns: nil when the store could not be reached; the settlement is then kept and tried by ``run()``.
    func settle(_ settlement: PendingSettlement) async -> (overrun: Amounts, windows: [WindowSnapshot])? {
        await settle(enlist(settlement))
    }

    /// A settlement that this process answers for from now on.
    struct Enlisted: Sendable {
        let settlement: PendingSettlement
        let number: Int
    }

    func enlist(_ settlement: PendingSettlement) -> Enlisted {
        Enlisted(settlement: settlement, number: register(settlement, .underway))
    }

    /// See ``settle(_:)-(PendingSettlement)``.
    func settle(_ enlisted: Enlisted) async -> (overrun: Amounts, windows: [WindowSnapshot])? {
        let (settlement, number) = (enlisted.settlement, enlisted.number)
        var pause = AccountingLimits.retryPause
        for attempt in 1...AccountingLimits.settleAttempts {
            switch await trySettle(settlement, number) {
            case .settled(let overrun, let windows): return (overrun, windows)
            case .pointless: return nil
            case .failed where attempt < AccountingLimits.settleAttempts:
                await clock.sleep(pause)
                pause = pause + pause
            case .failed: break
            }
        }
        state.withLock { $0.settlements[number]?.phase = .postponed }
        reportPending()
        return nil
    }

    /// Leaves a settlement to ``run()``.
    func postpone(_ settlement: PendingSettlement) {
        _ = register(settlement, .postponed)
        reportPending()
    }

    private func register(_ settlement: PendingSettlement, _ phase: OpenSettlement.Phase) -> Int {
        state.withLock { state in
            state.lastSettlement += 1
            if state.settlements.count < pendingSettlements {
                state.settlements[state.lastSettlement] = OpenSettlement(settlement: settlement, phase: phase)
            } else {
                state.hasForgotten = true
            }
            return state.lastSettlement
        }
    }

    private func reportPending() {
        guard let metrics else { return }
        metrics.settlementsPending(state.withLock { $0.settlements.values.count { $0.phase == .postponed } })
    }

    enum SettleOutcome {
        case settled(overrun: Amounts, windows: [WindowSnapshot])
        /// The store answered, and no repeat will change the answer.
        case pointless
        case failed
    }

    private func trySettle(_ settlement: PendingSettlement, _ number: Int) async -> SettleOutcome {
        let org = settlement.command.lease.org
        let life = state.withLock { $0.lives[org] } ?? .embedded
        let outcome = await trySettle(settlement)
        switch outcome {
        case .settled where root != nil && settlement.claim != nil: state.withLock { $0.settlements[number]?.phase = .settled(life) }
        case .settled: conclude(number)
        case .pointless:
            // An opening that may still arrive is not over.
            if settlement.mayOpenUntil.map({ $0 <= clock.monotonic() }) ?? true { conclude(number) }
        case .failed: break
        }
        return outcome
    }

    private func conclude(_ number: Int) {
        let settlement = state.withLock { $0.settlements.removeValue(forKey: number) }?.settlement
        settlement?.note?.remove()
    }

    /// Forgets settlements that have come to the ledger, and has those settled anew that counters may have lost before.
    func proveSettlements() async {
        let settled = state.withLock { state in
            state.settlements.compactMap { number, open -> (number: Int, org: CounterSlot, life: Epoch)? in
                guard case .settled(let life) = open.phase else { return nil }
                return (number, open.settlement.command.lease.org, life)
            }
        }
        guard !settled.isEmpty else { return }
        for org in Set(settled.map(\.org)).sorted() {
            guard let present = await flush(org: org) else { continue }
            for entry in settled where entry.org == org {
                if entry.life == present {
                    conclude(entry.number)
                } else {
                    state.withLock { $0.settlements[entry.number]?.phase = .postponed }
                }
            }
        }
    }

    /// Brings all rows of the org to the ledger.
    ///
    /// - Returns: the life whose rows have come there: none of an earlier one is known to have. Nil when a store did not answer.
    func flush(org: CounterSlot) async -> Epoch? {
        guard let root, let life = state.withLock({ $0.lives[org] }) else { return nil }
        do {
            try await store.flushRows(org: org)
            // Rows of a life that was sealed before are refused. Then the next one waits for this process, and is among those that wait.
            let next = try await root.pending()[org]
            if let next, next != life { return next }
            let incarnation = store.incarnation(org: org)
            return incarnation == life.incarnation ? life : Epoch(number: life.number + 1, incarnation: incarnation)
        } catch {
            return nil
        }
    }

    func trySettle(_ settlement: PendingSettlement) async -> SettleOutcome {
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
            switch try await apply(.settle(settlement.command)) {
            case .settled(let overrun, let windows, _): return .settled(overrun: overrun, windows: windows)
            // Lost again meanwhile.
            case .lost, .unknownLease: return .failed
            default: return .pointless
            }
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
            await lookAround()
            await clock.sleep(min(round, AccountingLimits.answerPause))
        }
    }

    /// One round of ``run()``.
    public func tick() async {
        let (leases, postponed) = state.withLock { state -> ([StreamLease], [(Int, PendingSettlement)]) in
            // In the order of admission: a round must not depend on how a dictionary is laid out.
            let postponed = state.settlements.filter { $0.value.phase == .postponed }.sorted { $0.key < $1.key }
            return (state.leases.sorted { $0.key < $1.key }.map(\.value), postponed.map { ($0.key, $0.value.settlement) })
        }
        for lease in leases { lease.heartbeat() }
        for (number, settlement) in postponed {
            // With a store that is still away the rest waits for the next round.
            if case .failed = await trySettle(settlement, number) { break }
        }
        reportPending()
        await answerForLives()
        // A store that is away reaps when it is back.
        _ = try? await apply(.reap(org: nil, grace: AccountingLimits.reapGrace))
    }
}
