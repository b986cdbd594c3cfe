extension CounterMachine {
    /// True when the org's counters are in a life of `incarnation`, and in this one if it has a number.
    func isCurrent(_ org: CounterSlot, _ incarnation: String, _ number: Int64?) -> Bool {
        let epoch = epochs[org]?.epoch ?? .embedded
        return epoch.incarnation == incarnation && number ?? epoch.number == epoch.number
    }

    /// Starts a life: nothing of an earlier one counts any more. A life that is there already, or a later one, stays.
    mutating func begin(_ org: CounterSlot, _ epoch: Epoch, incarnation: String, now: Milliseconds) -> CounterReply {
        guard epoch.incarnation == incarnation else { return .lost(now: now) }
        if let known = epochs[org] {
            if known.epoch == epoch { return .done(now: now) }
            guard known.epoch.number < epoch.number else { return .lost(now: now) }
        }
        for key in windows.keys where windows[key]?.org == org {
            windows[key] = nil
            changes.windows.insert(key)
        }
        late.forget { owner, _ in owner == org }
        for key in leases.keys where key.org == org {
            leases[key] = nil
            changes.leases.insert(key)
        }
        epochs[org] = EpochState(epoch: epoch, isCleared: false)
        return .done(now: now)
    }

    /// Every holder has spoken: what is still unaccounted for was never spent.
    mutating func clear(_ org: CounterSlot, _ number: Int64, now: Milliseconds) -> CounterReply {
        guard epochs[org]?.epoch.number == number else { return .lost(now: now) }
        epochs[org]?.isCleared = true
        for key in windows.keys where windows[key]?.org == org { update(key) { $0.unaccounted = 0 } }
        return .done(now: now)
    }

    /// Raises what the durable root has released of a window's cap; never lowers it.
    mutating func release(_ key: WindowKey, to released: Int64, turn: Int64, now: Milliseconds) -> CounterReply {
        guard (0...AccountingLimits.amountMax).contains(released) else { return .refused(.amount) }
        guard let window = windows[key] else { return .missing([key], now: now) }
        guard turn > window.turn else { return .done(now: now) }
        update(key) { window in
            window.turn = turn
            window.released = max(window.released, released)
        }
        return .done(now: now)
    }

    /// Lowers it to what is granted and a part of the rest. A repeat is answered with what was kept.
    mutating func recall(_ key: WindowKey, turn: Int64, least: Int64, now: Milliseconds) -> CounterReply {
        guard least >= 0 else { return .refused(.amount) }
        guard let window = windows[key] else { return .missing([key], now: now) }
        guard turn > window.turn else { return .windows([window.snapshot], now: now) }
        update(key) { window in
            window.turn = turn
            let taken = max(0, window.taken)
            let half = max(0, window.released - taken) / 2
            window.released = min(window.released, taken + (half < least ? 0 : half))
        }
        return .windows(snapshots([key]), now: now)
    }

    mutating func ask(_ key: WindowKey, for span: Milliseconds, now: Milliseconds) -> CounterReply {
        guard span.rawValue > 0 else { return .refused(.time) }
        guard let window = windows[key] else { return .missing([key], now: now) }
        guard window.askedUntil <= now, window.shutUntil <= now else { return .windows(snapshots([key]), now: now) }
        update(key) { $0.askedUntil = now + span }
        return .done(now: now)
    }

    mutating func asked(_ key: WindowKey, dryFor dry: Milliseconds?, shutFor shut: Milliseconds?, now: Milliseconds) -> CounterReply {
        guard dry?.rawValue ?? 1 > 0, shut?.rawValue ?? 1 > 0 else { return .refused(.time) }
        guard windows[key] != nil else { return .missing([key], now: now) }
        update(key) { window in
            window.askedUntil = Milliseconds(0)
            if let dry { window.dryUntil = now + dry }
            if let shut { window.shutUntil = now + shut }
        }
        return .done(now: now)
    }

    /// Takes a lease of an earlier life in. What it holds comes out of the unaccounted part, which it was in; anything above
    /// that is held all the same, because to hold too much never overspends.
    mutating func apply(_ claim: AssertLease, now: Milliseconds) -> CounterReply {
        if let refusal = Self.check(claim) { return .refused(refusal) }
        if let lease = leases[claim.lease] {
            guard lease.holder == claim.holder else { return .staleFence }
            return lease.phase == .suspended ? .suspended : .done(now: now)
        }
        let missing = claim.path.filter { windows[$0.key] == nil }
        guard missing.isEmpty else { return .missing(missing.map(\.key), now: now) }
        for ref in claim.path {
            let amount = claim.held[ref.key.unit]
            update(ref.key) { window in
                let found = min(window.unaccounted, amount)
                window.unaccounted -= found
                window.allowance += amount - found
                window.held += amount
                window.liveLeases += 1
            }
        }
        store(
            LeaseState(
                key: claim.lease, holder: claim.holder, attribution: claim.attribution, path: claim.path.map(\.key),
                spanEnd: claim.path.map(\.end).min() ?? WindowSpan.never, held: claim.held, spent: claim.spent,
                sequence: claim.sequence, decision: .committed, expiresAt: now + claim.ttl, phase: .live,
                known: claim.path.map(\.version).max() ?? 0))
        return .done(now: now)
    }

    private static func check(_ claim: AssertLease) -> CounterRefusal? {
        guard claim.path.count <= AccountingLimits.windowsPerPath, Set(claim.path.map(\.key)).count == claim.path.count else {
            return .path
        }
        guard claim.held.isValid, claim.spent.isValid else { return .amount }
        return claim.ttl.rawValue > 0 ? nil : .time
    }
}
