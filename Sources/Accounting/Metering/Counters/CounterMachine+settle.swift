extension CounterMachine {
    enum Admittance {
        case proceed(LeaseState)
        case answer(CounterReply)
    }

    /// Who may go on with a lease: its holder or a later one, with a sequence number that was not decided yet.
    func admit(_ key: LeaseKey, _ holder: LeaseHolder, sequence: Int64, now: Milliseconds) -> Admittance {
        guard var lease = leases[key] else { return .answer(.unknownLease) }
        guard holder == lease.holder || holder.fence > lease.holder.fence else { return .answer(.staleFence) }
        if sequence == lease.sequence { return .answer(lease.phase == .suspended ? .suspended : reply(of: lease, now: now)) }
        guard sequence > lease.sequence else { return .answer(.staleSequence) }
        guard lease.phase != .settled else { return .answer(.unknownLease) }
        lease.holder = holder
        return .proceed(lease)
    }

    mutating func apply(_ settle: SettleLease, now: Milliseconds) -> CounterReply {
        guard settle.spent.isValid else { return .refused(.amount) }
        switch admit(settle.lease, settle.holder, sequence: settle.sequence, now: now) {
        case .answer(let reply): return reply
        case .proceed(var lease):
            lease.sequence = settle.sequence
            return finish(lease, settle.spent, now: now)
        }
    }

    mutating func resolve(_ key: LeaseKey, evidence: Spent, now: Milliseconds) -> CounterReply {
        guard evidence.isValid else { return .refused(.amount) }
        guard var lease = leases[key] else { return .unknownLease }
        switch lease.phase {
        case .settled: return reply(of: lease, now: now)
        case .live: return .staleSequence
        case .suspended:
            lease.sequence += 1
            return finish(lease, evidence, now: now)
        }
    }

    /// Trues a live or suspended lease up to `spent` and frees the rest of what it held.
    private mutating func finish(_ found: LeaseState, _ spent: Spent, now: Milliseconds) -> CounterReply {
        var lease = found
        let wasLive = lease.phase == .live
        let overrun = commit(&lease, spent, kind: wasLive ? .settle : .resolve, now: now)
        let rest = lease.held
        for key in lease.path {
            update(key) { window in
                if wasLive {
                    window.held -= rest[key.unit]
                    window.liveLeases -= 1
                } else {
                    window.suspense -= rest[key.unit]
                }
            }
        }
        lease.held = .zero
        lease.phase = .settled
        lease.decision = .settled(overrun: overrun)
        lease.expiresAt = now
        store(lease)
        return reply(of: lease, now: now)
    }

    /// Moves the difference between `spent` and what the lease has committed into `used`: from what is held first, the
    /// rest as an overrun. Writes the ledger rows.
    ///
    /// - Returns: the overrun.
    mutating func commit(_ lease: inout LeaseState, _ spent: Spent, kind: LedgerRow.Kind, now: Milliseconds) -> Amounts {
        guard spent != lease.spent else { return .zero }
        let change = spent.amounts - lease.spent.amounts
        let fromHold = change.upperBound(.zero).lowerBound(lease.held)
        let overrun = (change - fromHold).upperBound(.zero)
        let wasLive = lease.phase == .live
        for key in lease.path {
            update(key) { window in
                window.used += change[key.unit]
                if wasLive { window.held -= fromHold[key.unit] } else { window.suspense -= fromHold[key.unit] }
                window.allowance += overrun[key.unit]
            }
        }
        let at = accountingTime(of: lease, now: now)
        countLate(lease, change, at: at)
        addRow(lease, kind, change, spent.usage - lease.spent.usage, estimated: spent.estimated, at: at)
        // More out than was held for it, and less in, is no overrun of the whole: a window of output tokens shows it.
        if overrun.nanoUSD > 0 || overrun.tokens > 0 || overrun.requests > 0 || overrun.calls > 0 {
            addRow(lease, .overrun, overrun, UsageClasses(outputVisible: overrun.tokens), estimated: spent.estimated, at: at)
        }
        lease.held = lease.held - fromHold
        lease.spent = spent
        return overrun
    }

    /// Within every window of the lease, also when the store's clock was set back: otherwise the row would count in one window
    /// and be summed in another.
    private func accountingTime(of lease: LeaseState, now: Milliseconds) -> Milliseconds {
        let start = lease.path.lazy.compactMap { windows[$0]?.start }.max() ?? now
        return max(start, min(now, Milliseconds(lease.spanEnd.rawValue - 1)))
    }

    private mutating func addRow(
        _ lease: LeaseState, _ kind: LedgerRow.Kind, _ amounts: Amounts, _ usage: UsageClasses, estimated: Bool, at: Milliseconds
    ) {
        changes.rows.append(
            LedgerRow(
                chargeID: "\(lease.key.id):\(lease.sequence):\(kind.rawValue)", kind: kind, lease: lease.key.id,
                attribution: lease.attribution, nanoUSD: amounts.nanoUSD, usage: usage, requests: amounts.requests,
                calls: amounts.calls, estimated: estimated, at: at, epoch: epochs[lease.key.org]?.epoch.number ?? 0,
                slot: lease.key.org.index))
    }

    /// Suspends what ended `grace` ago and frees none of it (metering.md §9, trap 3) but the run's place among the runs at one
    /// time: that is no money, and whoever held it stopped forwarding when its lease ended. Forgets settled leases and windows
    /// that nobody can ask for any more.
    mutating func reap(org: CounterSlot?, grace: Milliseconds, now: Milliseconds) -> CounterReply {
        guard grace.rawValue >= 0 else { return .refused(.time) }
        var reaped = 0
        for lease in leases.values where org == nil || lease.key.org == org {
            if lease.phase == .live, lease.expiresAt + grace <= now {
                suspend(lease, now: now)
                reaped += 1
            } else if lease.phase == .settled, lease.expiresAt + AccountingLimits.settledLeaseRetention <= now {
                leases[lease.key] = nil
                changes.leases.insert(lease.key)
            }
        }
        var gone: Set<WindowKey> = []
        for window in windows.values where window.end + AccountingLimits.windowRetention <= now {
            guard window.held == 0, window.suspense == 0, window.liveLeases == 0 else { continue }
            windows[window.key] = nil
            changes.windows.insert(window.key)
            gone.insert(window.key)
        }
        if !gone.isEmpty { late.forget { _, key in gone.contains(key) } }
        return .reaped(leases: reaped, now: now)
    }

    private mutating func suspend(_ found: LeaseState, now: Milliseconds) {
        var lease = found
        lease.phase = .suspended
        for key in lease.path where key.unit == .runs { update(key) { $0.held -= found.held.runs } }
        lease.held.runs = 0
        for key in lease.path {
            update(key) { window in
                window.held -= lease.held[key.unit]
                window.suspense += lease.held[key.unit]
                window.liveLeases -= 1
            }
        }
        let at = accountingTime(of: lease, now: now)
        addRow(lease, .suspense, lease.held, UsageClasses(outputVisible: lease.held.tokens), estimated: true, at: at)
        store(lease)
    }
}
