internal import Synchronization

extension Accountant {
    /// Sees to it that the store has these windows. Runs that start together share one load of each.
    func bringIn(_ path: [WindowRef], org: String) async -> Bool {
        let loads = state.withLock { state -> [Task<Bool, Never>] in
            path.filter { !state.known.contains(LoadedWindow($0)) }.map { ref in
                let window = LoadedWindow(ref)
                if let task = state.loading[window] { return task }
                // Not structured: several runs wait for it, and one that is cancelled must not take it from the others.
                let task = start { await self.load(ref, org: org) }
                state.loading[window] = task
                return task
            }
        }
        for load in loads {
            guard await load.value else { return false }
        }
        return true
    }

    /// A window that the store does not have counts what the ledger holds for it (metering.md §9, trap 2). One that it has
    /// stays as it is.
    private func load(_ window: WindowRef, org: String) async -> Bool {
        var isLoaded = false
        do {
            try await store.flushRows(org: org)
            let sum = try await ledger.sum(window.key.scope, from: window.start, to: window.end)
            if case .done = try await applyTwice(.load(org: org, window: window, used: sum.amounts[window.key.unit])) { isLoaded = true }
        } catch {
            isLoaded = false
        }
        state.withLock { [isLoaded] state in
            state.loading[LoadedWindow(window)] = nil
            guard isLoaded else { return }
            // Forgetting all is the cheapest bound, and costs each window one load that changes nothing.
            if state.known.count >= AccountingLimits.knownWindows { state.known.removeAll() }
            state.known.insert(LoadedWindow(window))
        }
        return isLoaded
    }

    /// The running window of every budget of a path, for `GET /v1/quota`; widest scope first. A window that the store does
    /// not know is summed from the ledger.
    ///
    /// - Returns: nil when the stores cannot be asked.
    public func windows(for path: TenancyPath) async -> [WindowSnapshot]? {
        guard let budgets = await budgets(for: path)?.budgets else { return nil }
        let guess = clock.now() + state.withLock { $0.offset }
        let refs = budgets.map { $0.window(at: guess) }
        guard !refs.isEmpty else { return [] }
        do {
            guard case .windows(let loaded, _) = try await apply(.read(org: path.org, windows: refs.map(\.key))) else { return nil }
            var windows: [WindowSnapshot] = []
            for ref in refs {
                if let known = loaded.first(where: { $0.key == ref.key }) {
                    windows.append(known)
                } else {
                    let sum = try await ledger.sum(ref.key.scope, from: ref.start, to: ref.end)
                    windows.append(
                        WindowSnapshot(key: ref.key, cap: ref.cap, used: sum.amounts[ref.key.unit], held: 0, suspense: 0, end: ref.end))
                }
            }
            return windows
        } catch {
            return nil
        }
    }
}
