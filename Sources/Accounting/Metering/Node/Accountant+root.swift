internal import Synchronization

/// What the durable root has not released yet is brought to the counters before it is missed (``Tranche``).
extension Accountant {
    /// Asks for the next tranche of every window that will soon need it; does not wait.
    func foresee(_ windows: [WindowSnapshot], path: [WindowRef], org: String) {
        guard root != nil else { return }
        for window in windows where Tranche.isDue(window) { _ = widening(window, path: path, need: 0, org: org) }
    }

    /// After a step: looks ahead, or goes to the root for what was refused without a word about the budget.
    func provide(_ reply: CounterReply, path: [WindowRef], offers: [Offer], org: String) async {
        switch reply {
        case .granted(_, let windows, _): foresee(windows, path: path, org: org)
        case .denied(let window, _, _) where window.isHeldBack:
            if await !widen(window, path: path, need: offers.last?.amounts[window.key.unit] ?? 0, org: org) {
                await clock.sleep(AccountingLimits.rootPause)
            }
        default: break
        }
    }

    /// - Returns: true when the counters may grant more of the window than the snapshot says.
    func widen(_ window: WindowSnapshot, path: [WindowRef], need: Int64, org: String) async -> Bool {
        await widening(window, path: path, need: need, org: org)?.value ?? false
    }

    /// One question for each window at a time; streams that need the same share it.
    private func widening(_ window: WindowSnapshot, path: [WindowRef], need: Int64, org: String) -> Task<Bool, Never>? {
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

    private func performWidening(_ window: WindowSnapshot, _ ref: WindowRef, need: Int64, org: String) async -> Bool {
        defer { state.withLock { $0.widening[LoadedWindow(ref, org: org)] = nil } }
        guard let root else { return false }
        let target = Tranche.target(window, need: need)
        guard target > window.released else {
            // All of the cap is released: what is missing is with others who have not answered for it yet.
            await answerForLives()
            return false
        }
        do {
            guard let release = try await root.release(ref, org: org, incarnation: store.incarnation(org: org), upTo: target) else {
                return await recover(org: org)
            }
            guard case .done = try await applyTwice(.release(org: org, window: ref.key, released: release.released)) else { return false }
            return release.released > window.released
        } catch {
            return false
        }
    }
}
