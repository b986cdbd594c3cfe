extension CounterMachine {
    mutating func apply(_ open: OpenLease, now: Milliseconds) -> CounterReply {
        if let refusal = Self.check(open) { return .refused(refusal) }
        if let lease = leases[open.lease] {
            guard lease.holder == open.holder else { return .staleFence }
            return lease.sequence == 0 && lease.phase == .live ? reply(of: lease, now: now) : .staleSequence
        }
        guard open.path.allSatisfy({ $0.start <= now && now < $0.end }) else { return .wrongSpan(now: now) }
        let missing = open.path.filter { ref in windows[ref.key].map { $0.generation < ref.generation } ?? true }
        guard missing.isEmpty else { return .missing(missing.map(\.key), now: now) }
        for ref in open.path {
            guard var window = windows[ref.key], window.setCap(ref.cap, version: ref.version) else { continue }
            windows[ref.key] = window
            changes.windows.insert(ref.key)
        }

        let path = open.path.map(\.key)
        var asked = open.fixed
        if open.continues { asked.runs = 0 }
        switch choose(open.offers, above: asked, path: path, shareFloor: open.shareFloor, newLeases: 1) {
        case .denied(let key):
            guard let window = windows[key] else { return .missing([key], now: now) }
            return .denied(by: window.snapshot, windows: snapshots(path), now: now)
        case .offer(let index):
            let held = open.fixed + open.offers[index].amounts
            for key in path {
                update(key) { window in
                    window.held += held[key.unit]
                    window.liveLeases += 1
                    if open.continues, key.unit == .runs { window.allowance = max(window.allowance, window.taken) }
                }
            }
            let lease = LeaseState(
                key: open.lease, holder: open.holder, attribution: open.attribution, path: path,
                spanEnd: open.path.map(\.end).min() ?? WindowSpan.never, held: held, spent: .zero, sequence: 0,
                decision: .granted(offer: index), expiresAt: now + open.ttl, phase: .live, known: open.known)
            store(lease)
            return reply(of: lease, now: now)
        }
    }

    mutating func apply(_ step: StepLease, now: Milliseconds) -> CounterReply {
        if let refusal = Self.check(step.offers, spent: step.spent, ttl: step.ttl) { return .refused(refusal) }
        var lease: LeaseState
        switch admit(step.lease, step.holder, sequence: step.sequence, now: now) {
        case .answer(let reply): return reply
        case .proceed(let found): lease = found
        }
        guard lease.phase == .live else { return .suspended }
        guard step.spent.covers(lease.spent) else { return .refused(.spentShrank) }
        lease.sequence = step.sequence
        _ = commit(&lease, step.spent, kind: .commit, now: now)
        lease.expiresAt = max(lease.expiresAt, now + step.ttl)
        lease.decision = refill(&lease, step, now: now)
        store(lease)
        return reply(of: lease, now: now)
    }

    private mutating func refill(_ lease: inout LeaseState, _ step: StepLease, now: Milliseconds) -> LeaseDecision {
        guard now < lease.spanEnd else { return .rolled }
        guard !step.offers.isEmpty else { return .committed }
        switch choose(step.offers, above: .zero, path: lease.path, shareFloor: step.shareFloor, newLeases: 0) {
        case .denied(let key): return .denied(by: key)
        case .offer(let index):
            let amounts = step.offers[index].amounts
            for key in lease.path { update(key) { $0.held += amounts[key.unit] } }
            lease.held = lease.held + amounts
            return .granted(offer: index)
        }
    }

    private enum Choice {
        case offer(Int)
        case denied(by: WindowKey)
    }

    /// The largest offer that fits every window of the path.
    ///
    /// Above `shareFloor` tokens an offer must also fit the lease's fair share, headroom / (2 × live leases), so that a
    /// few streams cannot hold all that is left; below it only the headroom counts, down to the smallest offer, so that
    /// less than one smallest offer is left unused at the cap. An amount of zero fits always: a model without a price
    /// passes money caps (metering.md §9, trap 12).
    private func choose(_ offers: [Offer], above fixed: Amounts, path: [WindowKey], shareFloor: Int64, newLeases: Int64) -> Choice {
        let path = path.compactMap { windows[$0] }
        func fits(_ offer: Offer, _ window: WindowState) -> Bool {
            let unit = window.key.unit
            let amount = offer.amounts[unit]
            guard amount + fixed[unit] > 0 else { return true }
            guard amount <= window.headroom - fixed[unit] else { return false }
            // The share is one of the cap and not of a tranche: the next tranche is there before the cap is reached.
            let room = window.cap - window.taken - fixed[unit]
            return offer.tokens <= shareFloor || amount <= room / (2 * max(1, window.liveLeases + newLeases))
        }
        if let index = offers.firstIndex(where: { offer in path.allSatisfy { fits(offer, $0) } }) { return .offer(index) }
        // All offers are above the floor (a run that needs its minimum at once): the share gives way, the cap does not.
        func fitsCap(_ offer: Offer, _ window: WindowState) -> Bool {
            let amount = offer.amounts[window.key.unit] + fixed[window.key.unit]
            return amount <= 0 || amount <= window.headroom
        }
        guard let smallest = offers.last else { return .offer(0) }
        // Named is the window that stays shut longest; of several the widest scope, which comes first in the path.
        var shut: WindowState?
        for window in path where !fitsCap(smallest, window) {
            if let found = shut, found.end >= window.end { continue }
            shut = window
        }
        return shut.map { .denied(by: $0.key) } ?? .offer(offers.count - 1)
    }

    /// The answer that belongs to a lease's last decision.
    func reply(of lease: LeaseState, now: Milliseconds) -> CounterReply {
        let path = snapshots(lease.path)
        switch lease.decision {
        case .granted(let offer): return .granted(offer: offer, windows: path, now: now)
        case .committed: return .committed(windows: path, now: now)
        case .rolled: return .wrongSpan(now: now)
        case .settled(let overrun): return .settled(overrun: overrun, windows: path, now: now)
        case .denied(let key):
            guard let window = windows[key]?.snapshot else { return .missing([key], now: now) }
            return .denied(by: window, windows: path, now: now)
        }
    }

    private static func check(_ open: OpenLease) -> CounterRefusal? {
        guard !open.offers.isEmpty else { return .offers }
        guard open.path.count <= AccountingLimits.windowsPerPath, Set(open.path.map(\.key)).count == open.path.count else { return .path }
        guard open.fixed.isValid, open.path.allSatisfy({ (0...AccountingLimits.amountMax).contains($0.cap) }) else { return .amount }
        return check(open.offers, spent: .zero, ttl: open.ttl)
    }

    private static func check(_ offers: [Offer], spent: Spent, ttl: Milliseconds) -> CounterRefusal? {
        guard ttl.rawValue > 0 else { return .time }
        guard offers.count <= AccountingLimits.offers else { return .offers }
        guard zip(offers, offers.dropFirst()).allSatisfy({ $0.tokens > $1.tokens }) else { return .offers }
        guard spent.isValid, offers.allSatisfy({ $0.amounts.isValid && $0.tokens > 0 }) else { return .amount }
        return nil
    }
}
