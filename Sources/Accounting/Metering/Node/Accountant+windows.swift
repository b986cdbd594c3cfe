internal import Synchronization

extension Accountant {
    /// Sees to it that the store has these windows. Runs that start together share one load of each.
    func bringIn(_ path: [WindowRef], org: CounterSlot) async -> Bool {
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
    private func load(_ window: WindowRef, org: CounterSlot) async -> Bool {
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
    private func tryLoad(_ window: WindowRef, org: CounterSlot) async -> Bool? {
        do {
            // Counters that lose nothing have one life; of the others the one that this process has seen begin.
            let life = root == nil ? nil : state.withLock { $0.lives[org] }
            guard root == nil || life != nil else { return nil }
            var loaded: (used: Int64, shares: [Int: Int64], last: Release)?
            var reply = try await applyTwice(.announce(org: org, window: window), in: life)
            for round in 0..<AccountingLimits.loadRounds {
                guard case .announced(let mark, _) = reply else { break }
                if round > 2 { await clock.sleep(AccountingLimits.rootPause) }
                guard let last = try await released(window, org: org, in: life) else { return nil }
                // After the announcement: what was committed before is in the sum, and anything later moves the mark. So does a new life.
                try await store.flushRows(org: org)
                // What nobody was given yet may have been used all the same, before there was such a budget.
                if last.isFirst { try await flushOthers(org) }
                let shares = try await shares(window)
                let used = shares[org.index] ?? 0
                loaded = (used, shares, last)
                // In a life that is not cleared all that was released before counts as spent, and only what comes on top may be granted.
                reply = try await applyTwice(
                    .load(org: org, window: window, used: used, released: last.released, turn: last.turn, mark: mark), in: life)
            }
            switch reply {
            case .done: break
            case .lost: return nil
            default: return false
            }
            guard let root, let life else { return true }
            // Of a window that is there already, the counters are told what they have of it.
            var target: Int64 = 0
            if let (used, _, last) = loaded {
                let taken = last.isCleared ? used : max(used, last.released)
                target = Tranche.target(taken: taken, need: 0, cap: window.cap, unit: window.key.unit, slots: slots(ofOrgOf: org))
            }
            let others = others(loaded?.shares ?? [:], window, org)
            guard let first = try await root.release(window, org: org, incarnation: life.incarnation, upTo: target, shares: others) else {
                return nil
            }
            switch try await apply(first, window, org: org) {
            case .done: return true
            case .lost: return nil
            default: return false
            }
        } catch {
            return false
        }
    }

    /// By slot.
    private func shares(_ window: WindowRef) async throws(LedgerStoreError) -> [Int: Int64] {
        let (key, unit) = (window.key, window.key.unit)
        return try await ledger.sums(key.scope, model: key.model, from: window.start, to: window.end).mapValues { $0.amounts[unit] }
    }

    /// What other slots than this have used already, within the cap.
    private func others(_ shares: [Int: Int64], _ window: WindowRef, _ org: CounterSlot) -> [Int: Int64] {
        var (others, free): ([Int: Int64], Int64) = ([:], window.cap)
        for (slot, used) in shares.sorted(by: { $0.key < $1.key }) where slot != org.index && used > 0 {
            others[slot] = min(used, free)
            free -= min(used, free)
        }
        return others
    }

    /// Brings the rows of the org's other slots to the ledger, if it is or was split.
    private func flushOthers(_ org: CounterSlot) async throws {
        guard let root else { return }
        for index in try await root.slots(org: org.org) where index != org.index {
            try await store.flushRows(org: CounterSlot(org: org.org, index: index))
        }
    }

    /// What the durable root has released of a window so far: all of it where there is none.
    private func released(_ window: WindowRef, org: CounterSlot, in life: Epoch?) async throws(LedgerStoreError) -> Release? {
        guard let root, let life else { return Release(released: AccountingLimits.amountMax, isCleared: true) }
        return try await root.release(window, org: org, incarnation: life.incarnation, upTo: 0)
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
        return await windows(of: budgets, org: path.org)
    }

    /// The running windows of budgets of one org, in their order.
    ///
    /// - Parameter sums: false leaves out windows that no counters have, whose sum only the ledger knows.
    /// - Returns: nil when the stores cannot be asked.
    public func windows(of budgets: [Budget], org: OrgID, sums: Bool = true) async -> [WindowSnapshot]? {
        let guess = clock.now() + state.withLock { $0.offset }
        let refs = budgets.map { $0.window(at: guess) }
        do {
            var windows: [WindowSnapshot] = []
            for start in stride(from: 0, to: refs.count, by: AccountingLimits.windowsPerPath) {
                let some = Array(refs[start..<min(refs.count, start + AccountingLimits.windowsPerPath)])
                guard let found = try await snapshots(some, org: org, sums: sums) else { return nil }
                windows += found
            }
            return windows
        } catch {
            return nil
        }
    }

    private func snapshots(_ refs: [WindowRef], org: OrgID, sums: Bool) async throws -> [WindowSnapshot]? {
        var found: [WindowKey: [WindowSnapshot]] = [:]
        var missing: [WindowKey: [Int]] = [:]
        for index in slots(of: org) > 1 ? Array(0...slots(of: org)) : [0] {
            let loaded: [WindowSnapshot]
            switch try await apply(.read(org: CounterSlot(org: org, index: index), windows: refs.map(\.key))) {
            case .windows(let windows, _): loaded = windows
            case .lost: loaded = []
            default: return nil
            }
            for ref in refs {
                if let window = loaded.first(where: { $0.key == ref.key }) {
                    found[ref.key, default: []].append(window)
                } else {
                    missing[ref.key, default: []].append(index)
                }
            }
        }
        var windows: [WindowSnapshot] = []
        for ref in refs {
            var parts = found[ref.key] ?? []
            if let missing = missing[ref.key] {
                guard sums else { continue }
                let shares = try await shares(ref)
                let used = missing.reduce(0) { $0 + (shares[$1] ?? 0) }
                parts.append(WindowSnapshot(key: ref.key, cap: ref.cap, used: used, held: 0, suspense: 0, end: ref.end))
            }
            windows.append(parts.count == 1 ? parts[0] : WindowSnapshot(sum: parts))
        }
        return windows
    }
}
