internal import Synchronization

/// A window in one slot of an org.
struct SlotWindow: Hashable, Sendable {
    /// ``CounterSlot/name``.
    let counters: CounterSlot
    let key: WindowKey
}

/// Slots of a split org: what one needs and the root has not got is taken back from the others (metering.md §4.4).
extension Accountant {
    /// Of each slot's window one process at a time asks for more, and what it finds holds for a moment: a cap that is reached is reached by all
    /// streams at once, and the root and the other slots would be asked by every process for the same.
    func inTurn(_ ref: WindowRef, need: Int64, org: CounterSlot, _ obtain: () async throws -> Widening) async throws -> Widening {
        switch try await apply(.ask(org: org, window: ref.key, for: AccountingLimits.askSpan)) {
        case .done: break
        case .windows(let windows, let now):
            return windows.first.flatMap { shut($0, org: org, now: now) }.map { .exhausted($0) } ?? .notYet
        case .lost: return await recover(org: org) ? .more : .notYet
        default: return .notYet
        }
        // Not said after a failure: then others ask again when the time is over.
        let outcome = try await obtain()
        var (isDry, isShut) = (false, false)
        switch outcome {
        case .more: break
        case .notYet: isDry = need == 0
        case .exhausted: (isDry, isShut) = (true, true)
        }
        _ = try await applyTwice(
            .asked(
                org: org, window: ref.key, dryFor: isDry ? AccountingLimits.drySpan : nil, shutFor: isShut ? AccountingLimits.shutSpan : nil
            ))
        return outcome
    }

    /// The root has released all of the cap. Takes back what other slots do not need, or finds that nothing is left.
    func gather(_ window: WindowSnapshot, _ ref: WindowRef, need: Int64, org: CounterSlot) async throws -> Widening {
        guard let root else { return .notYet }
        let shares = try await root.releases(ref)
        // Alone, and in step with the root: unless a lower cap has made these counters give all of it back by themselves.
        guard shares.contains(where: { $0.key != org.index || $0.value > window.released }) else {
            // All of the cap is with these counters: what is missing is with others who have not answered for it yet.
            await answerForLives()
            return .notYet
        }
        return try await ask(ref, need: need, shares, org: org)
    }

    private func ask(_ ref: WindowRef, need: Int64, _ first: [Int: Int64], org: CounterSlot) async throws -> Widening {
        guard let root else { return .notYet }
        let here = org
        for isLast in [false, true] {
            let shares = isLast ? try await root.releases(ref) : first
            guard let found = await look(ref, in: shares.keys.sorted().map { CounterSlot(org: here.org, index: $0) }) else { break }
            let parts = found.map { (slot: $0.slot, spare: max(0, (shares[$0.slot.index] ?? 0) - max(0, $0.window.taken))) }
            guard found.reduce(ref.cap, { $0 - max(0, $1.window.taken) }) >= need else {
                // What moves from slot to slot may be missed by one look.
                let whole = WindowSnapshot(sum: found.map(\.window))
                if isLast, whole.unaccounted == 0 { return .exhausted(whole) }
                continue
            }
            // Less than nothing where the cap was lowered below what is released.
            var freed = shares.values.reduce(ref.cap, -)
            // A lower cap has made these counters give something back, and the root has not heard of it: their next release has to be a new turn.
            if let mine = found.first(where: { $0.slot == here }), shares[here.index] ?? 0 > mine.window.released {
                freed += try await recall(ref, from: here, least: .max, of: shares)
            }
            for part in parts.sorted(by: { ($0.spare, $1.slot.index) > ($1.spare, $0.slot.index) })
            where freed < need && part.spare > 0 && part.slot != here {
                freed += try await recall(ref, from: part.slot, least: need - freed, of: shares)
            }
            let taken = found.first { $0.slot == here }?.window.taken ?? 0
            let target = Tranche.target(taken: taken, need: need, cap: ref.cap, unit: ref.key.unit, slots: slots(ofOrgOf: org))
            guard let release = try await root.release(ref, org: org, incarnation: store.incarnation(org: org), upTo: target) else {
                return await recover(org: org) ? .more : .notYet
            }
            guard case .done = try await apply(release, ref, org: org) else { return .notYet }
            return release.released >= taken + need ? .more : .notYet
        }
        await answerForLives()
        return .notYet
    }

    /// - Returns: nil when a slot does not answer: what it has is not known.
    private func look(_ ref: WindowRef, in slots: [CounterSlot]) async -> [(slot: CounterSlot, window: WindowSnapshot)]? {
        // All at once: they are on different masters.
        let looks = slots.map { slot in start { await self.look(ref, in: slot) } }
        var found: [(slot: CounterSlot, window: WindowSnapshot)] = []
        for (slot, look) in zip(slots, looks) { if let window = await look.value { found.append((slot, window)) } }
        return found.count == slots.count ? found : nil
    }

    private func look(_ ref: WindowRef, in counters: CounterSlot) async -> WindowSnapshot? {
        for _ in 0..<2 {
            guard await bringIn([ref], org: counters) else { return nil }
            switch try? await apply(.read(org: counters, windows: [ref.key])) {
            case .windows(let windows, _):
                if let window = windows.first {
                    note([window], in: counters)
                    return window
                }
                forget([ref.key], org: counters)
            case .lost: guard await recover(org: counters) else { return nil }
            default: return nil
            }
        }
        return nil
    }

    /// - Returns: how much of what was released to the slot is free now.
    private func recall(_ ref: WindowRef, from slot: CounterSlot, least: Int64, of shares: [Int: Int64]) async throws -> Int64 {
        guard let root, let turn = try await root.beginRecall(ref, org: slot, incarnation: store.incarnation(org: slot)) else { return 0 }
        let least = min(least, AccountingLimits.amountMax)
        guard case .windows(let windows, _) = try await applyTwice(.recall(org: slot, window: ref.key, turn: turn, least: least)),
            let window = windows.first, window.turn == turn
        else { return 0 }
        note([window], in: slot)
        try await root.endRecall(ref, org: slot, turn: turn, released: window.released)
        return max(0, (shares[slot.index] ?? 0) - window.released)
    }

    // MARK: What all slots have together

    private func note(_ windows: [WindowSnapshot], in counters: CounterSlot) {
        state.withLock { state in
            // Forgetting all is the cheapest bound, and is made good within a second.
            if state.seen.count >= AccountingLimits.knownWindows { state.seen.removeAll() }
            for window in windows { state.seen[SlotWindow(counters: counters, key: window.key)] = window }
        }
    }

    /// The windows of one slot with what the others were last seen to have, at most about a second ago.
    func whole(_ windows: [WindowSnapshot], org: CounterSlot) -> [WindowSnapshot] {
        let others = slots(besides: org)
        guard !others.isEmpty else { return windows }
        return state.withLock { state in
            windows.map { window in
                WindowSnapshot(sum: [window] + others.compactMap { state.seen[SlotWindow(counters: $0, key: window.key)] })
            }
        }
    }

    /// All counters of the org of these, but for these; none when it is not split.
    private func slots(besides counters: CounterSlot) -> [CounterSlot] {
        let (count, org) = (slots(ofOrgOf: counters), counters.org)
        guard count > 1 else { return [] }
        return (0...count).map { CounterSlot(org: org, index: $0) }.filter { $0 != counters }
    }

    /// Looks at the other slots of the windows that live streams spend from.
    func lookAround() async {
        let leases = state.withLock { Array($0.leases.values) }
        var wanted: [OrgID: Set<WindowKey>] = [:]
        for lease in leases where slots(ofOrgOf: lease.counters) > 1 {
            wanted[lease.counters.org, default: []].formUnion(lease.windowKeys)
        }
        for (org, keys) in wanted.sorted(by: { $0.key < $1.key }) {
            let keys = keys.sorted { $0.text < $1.text }
            for slot in (0...slots(of: org)).map({ CounterSlot(org: org, index: $0) }) {
                for start in stride(from: 0, to: keys.count, by: AccountingLimits.windowsPerPath) {
                    let some = Array(keys[start..<min(keys.count, start + AccountingLimits.windowsPerPath)])
                    // A slot that is away shows what it had.
                    if case .windows(let windows, _) = try? await apply(.read(org: slot, windows: some)) { note(windows, in: slot) }
                }
            }
        }
    }
}

extension WindowSnapshot {
    /// One window, added up over the slots of its org. `parts` is not empty.
    init(sum parts: [WindowSnapshot]) {
        self.init(
            key: parts[0].key, cap: parts[0].cap, used: parts.reduce(0) { $0 + $1.used }, held: parts.reduce(0) { $0 + $1.held },
            suspense: parts.reduce(0) { $0 + $1.suspense }, end: parts[0].end, released: parts[0].cap,
            unaccounted: parts.reduce(0) { $0 + $1.unaccounted })
    }
}
