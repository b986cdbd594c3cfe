/// Makes the counters of an org anew from the ledger and from what its processes hold, as after a loss. Streams go on meanwhile.
public struct CounterRebuild: Sendable {
    private let root: any CounterRoot
    private let store: any CounterStore
    /// Of the command itself, which holds nothing.
    private let holder: LeaseHolder

    public init(root: any CounterRoot, store: any CounterStore, holder: LeaseHolder) {
        self.root = root
        self.store = store
        self.holder = holder
    }

    /// Ends the present life of the org's counters and begins another in the same store.
    ///
    /// - Throws: ``LedgerStoreError`` or ``CounterStoreError``. It may be repeated.
    /// - Returns: the new life, which waits for every process.
    public func begin(org: CounterSlot) async throws -> Epoch {
        // A life is known by its incarnation, so one that no store has comes in between.
        let last = try await root.life(org: org)?.epoch.number ?? 0
        let between = try await root.seal(org: org, incarnation: "rebuilt by \(holder.node)/\(holder.fence)", after: last)
        let life = try await root.seal(org: org, incarnation: store.incarnation(org: org), after: between.epoch.number)
        guard case .done = try await store.apply(.begin(org: org, life.epoch)) else {
            throw CounterStoreError.failed("the counters changed their incarnation meanwhile")
        }
        return life.epoch
    }

    /// - Returns: the processes that have not answered; the life is cleared when there is none.
    public func proceed(org: CounterSlot, _ life: Epoch) async throws -> [LeaseHolder] {
        if try await root.confirm(org: org, epoch: life, holder: holder) {
            _ = try await store.apply(.clear(org: org, epoch: life.number))
            return []
        }
        return try await root.awaited(org: org)
    }
}
