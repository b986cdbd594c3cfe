internal import Synchronization

/// What came of asking for more of a window than the counters may grant.
enum Widening: Sendable {
    /// The counters may grant more than they could.
    case more
    /// Somebody has not answered; asked again, it may be otherwise.
    case notYet
    /// Nothing is left of the cap in any slot of the org: the window, added up over all of them.
    case exhausted(WindowSnapshot)
}

/// What the durable root has not released yet is brought to the counters before it is missed (``Tranche``).
extension Accountant {
    /// Asks for the next tranche of every window that will soon need it; does not wait.
    ///
    /// - Parameter now: the store's time.
    func foresee(_ windows: [WindowSnapshot], path: [WindowRef], org: CounterSlot, now: Milliseconds) {
        guard root != nil else { return }
        let slots = slots(ofOrgOf: org)
        for window in windows where Tranche.isDue(window, slots: slots) && now >= window.dryUntil {
            _ = widening(window, path: path, need: 0, org: org)
        }
    }

    /// After a step: goes to the root for what was refused without a word about the budget.
    ///
    /// - Returns: the answer as the stream has to take it; a refusal names the budget only when nothing of it is left anywhere.
    func judge(_ reply: CounterReply, path: [WindowRef], offers: [Offer], org: CounterSlot) async -> CounterReply {
        guard case .denied(let window, let windows, let now) = reply, window.isHeldBack else { return reply }
        if let whole = shut(window, org: org, now: now) { return .denied(by: whole, windows: windows, now: now) }
        switch await widen(window, path: path, need: offers.last?.amounts[window.key.unit] ?? 0, org: org) {
        case .more: return reply
        case .notYet:
            await clock.sleep(AccountingLimits.rootPause)
            return reply
        case .exhausted(let whole): return .denied(by: whole, windows: windows, now: now)
        }
    }

    /// The window over all slots of the org, when it is known that nothing is left in any.
    func shut(_ window: WindowSnapshot, org: CounterSlot, now: Milliseconds) -> WindowSnapshot? {
        now < window.shutUntil ? WindowSnapshot(sum: whole([window], org: org)) : nil
    }

    func widen(_ window: WindowSnapshot, path: [WindowRef], need: Int64, org: CounterSlot) async -> Widening {
        await widening(window, path: path, need: need, org: org)?.value ?? .notYet
    }

    /// One question for each window at a time; streams that need the same share it.
    private func widening(_ window: WindowSnapshot, path: [WindowRef], need: Int64, org: CounterSlot) -> Task<Widening, Never>? {
        guard root != nil, let ref = path.first(where: { $0.key == window.key }) else { return nil }
        return state.withLock { state in
            let name = LoadedWindow(ref, org: org)
            if let task = state.widening[name] { return task }
            // Not structured: several streams wait for it, and one that ends must not take it from the others.
            let task = start { await self.performWidening(window, ref, need: need, org: org) }
            state.widening[name] = task
            return task
        }
    }

    private func performWidening(_ window: WindowSnapshot, _ ref: WindowRef, need: Int64, org: CounterSlot) async -> Widening {
        defer { state.withLock { $0.widening[LoadedWindow(ref, org: org)] = nil } }
        do {
            guard slots(ofOrgOf: org) > 1 || org.isSplit else {
                return try await obtain(window, ref, need: need, org: org)
            }
            return try await inTurn(ref, need: need, org: org) { try await self.obtain(window, ref, need: need, org: org) }
        } catch {
            return .notYet
        }
    }

    /// From the root, or else from other slots.
    private func obtain(_ window: WindowSnapshot, _ ref: WindowRef, need: Int64, org: CounterSlot) async throws -> Widening {
        guard let root else { return .notYet }
        let target = Tranche.target(window, need: need, slots: slots(ofOrgOf: org))
        if target > window.released {
            guard let release = try await root.release(ref, org: org, incarnation: store.incarnation(org: org), upTo: target) else {
                return await recover(org: org) ? .more : .notYet
            }
            guard case .done = try await apply(release, ref, org: org) else { return .notYet }
            if release.turn > window.turn, release.released > window.released { return .more }
        }
        // What comes ahead of need is not taken from others.
        guard need > 0 else { return .notYet }
        return try await gather(window, ref, need: need, org: org)
    }

    func apply(_ release: Release, _ ref: WindowRef, org: CounterSlot) async throws(CounterStoreError) -> CounterReply {
        try await applyTwice(.release(org: org, window: ref.key, released: release.released, turn: release.turn))
    }
}
