internal import Synchronization

extension Accountant {
    /// Sees to it that the store has these windows. Runs that start together share one load of each.
    func bringIn(_ path: [WindowRef], org: String) async -> Bool {
        // At the first contact the root learns of this process, and the counters of what the root knows.
        if root != nil, state.withLock({ $0.lives[org] == nil }) {
            guard await recover(org: org) else { return false }
        }
        let loads = state.withLock { state -> [Task<Bool, Never>] in
            path.filter { !state.known.contains(LoadedWindow($0, org: org)) }.map { ref in
                let window = LoadedWindow(ref, org: org)
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
        var isLoaded = await tryLoad(window, org: org)
        // The ledger is summed again: the life that has just ended may have left rows that were brought in meanwhile.
        if isLoaded == nil, await recover(org: org) { isLoaded = await tryLoad(window, org: org) }
        return state.withLock { [isLoaded] state in
            state.loading[LoadedWindow(window, org: org)] = nil
            guard isLoaded == true else { return false }
            // Forgetting all is the cheapest bound, and costs each window one load that changes nothing.
            if state.known.count >= AccountingLimits.knownWindows { state.known.removeAll() }
            state.known.insert(LoadedWindow(window, org: org))
            return true
        }
    }

    /// - Returns: nil when the counters have to be started first.
    private func tryLoad(_ window: WindowRef, org: String) async -> Bool? {
        do {
            let incarnation = store.incarnation(org: org)
            var loaded: (used: Int64, last: Release)?
            var reply = try await apply(.announce(org: org, window: window), in: incarnation)
            for round in 0..<AccountingLimits.loadRounds {
                guard case .announced(let mark, _) = reply else { break }
                if round > 2 { await clock.sleep(AccountingLimits.rootPause) }
                guard let last = try await released(window, org: org, in: incarnation) else { return nil }
                // After the announcement: what was committed before is in the sum, and anything later moves the mark. So does a new life.
                try await store.flushRows(org: org)
                let used = try await used(window)
                loaded = (used, last)
                // In a life that is not cleared all that was released before counts as spent, and only what comes on top may be granted.
                reply = try await apply(
                    .load(org: org, window: window, used: used, released: last.released, mark: mark), in: incarnation)
            }
            switch reply {
            case .done: break
            case .lost: return nil
            default: return false
            }
            guard let root else { return true }
            // Of a window that is there already, the counters are told what they have of it.
            var target: Int64 = 0
            if let (used, last) = loaded {
                let taken = last.isCleared ? used : max(used, last.released)
                target = Tranche.target(taken: taken, need: 0, cap: window.cap, unit: window.key.unit)
            }
            guard let first = try await root.release(window, org: org, incarnation: incarnation, upTo: target) else { return nil }
            switch try await applyTwice(.release(org: org, window: window.key, released: first.released)) {
            case .done: return true
            case .lost: return nil
            default: return false
            }
        } catch {
            return false
        }
    }

    /// What the durable root has released of a window so far: all of it where there is none.
    private func released(_ window: WindowRef, org: String, in incarnation: String) async throws(LedgerStoreError) -> Release? {
        guard let root else { return Release(released: AccountingLimits.amountMax, isCleared: true) }
        return try await root.release(window, org: org, incarnation: incarnation, upTo: 0)
    }

    private func used(_ window: WindowRef) async throws(LedgerStoreError) -> Int64 {
        try await ledger.sum(window.key.scope, model: window.key.model, from: window.start, to: window.end).amounts[window.key.unit]
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
            let loaded: [WindowSnapshot]
            switch try await apply(.read(org: path.org, windows: refs.map(\.key))) {
            case .windows(let found, _): loaded = found
            case .lost: loaded = []
            default: return nil
            }
            var windows: [WindowSnapshot] = []
            for ref in refs {
                if let known = loaded.first(where: { $0.key == ref.key }) {
                    windows.append(known)
                } else {
                    let sum = try await ledger.sum(ref.key.scope, model: ref.key.model, from: ref.start, to: ref.end)
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
