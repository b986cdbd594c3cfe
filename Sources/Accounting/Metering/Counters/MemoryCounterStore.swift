/// Counters in this process's memory, gone with it: for tests and for trying the machine.
///
/// An actor; commands are decided in the order of their arrival. Ledger rows go to `ledger` before the reply leaves.
public actor MemoryCounterStore: CounterStore {
    public private(set) var machine = CounterMachine()
    private let clock: any AccountingClock
    private let ledger: (any LedgerStore)?

    public init(clock: any AccountingClock, ledger: (any LedgerStore)? = nil) {
        self.clock = clock
        self.ledger = ledger
    }

    public func apply(_ command: CounterCommand) async throws(CounterStoreError) -> CounterReply {
        let reply = machine.apply(command, now: clock.now())
        let rows = machine.drainChanges().rows
        if let ledger, !rows.isEmpty {
            do { try await ledger.append(rows) } catch { throw .failed("the ledger refused: \(error)") }
        }
        return reply
    }

    /// Rows are in the ledger before their reply is.
    public func flushRows(org: CounterSlot) async throws(CounterStoreError) {}
}

/// A ledger in memory, for tests. An actor.
public actor MemoryLedger: LedgerStore {
    public private(set) var rows: [LedgerRow] = []
    private var ids: Set<String> = []

    public init() {}

    @discardableResult
    public func append(_ new: [LedgerRow]) async throws(LedgerStoreError) -> Int {
        let before = rows.count
        for row in new where ids.insert(row.chargeID).inserted { rows.append(row) }
        return rows.count - before
    }

    public func charges(of lease: LeaseKey, run: String) async throws(LedgerStoreError) -> LeaseCharges {
        LeaseCharges(rows.filter { $0.lease == lease.id && $0.attribution.path.org == lease.org.org })
    }

    public func sum(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds) async throws(LedgerStoreError) -> LedgerSum {
        LedgerSum(
            rows.filter {
                from <= $0.at && $0.at < to && $0.attribution.path.scopes.contains(scope)
                    && (model ?? $0.attribution.model) == $0.attribution.model
            })
    }

    public func sums(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds
    ) async throws(LedgerStoreError) -> [Int: LedgerSum] {
        let found = rows.filter {
            from <= $0.at && $0.at < to && $0.attribution.path.scopes.contains(scope)
                && (model ?? $0.attribution.model) == $0.attribution.model
        }
        return Dictionary(grouping: found, by: \.slot).mapValues { LedgerSum($0) }
    }
}

extension LedgerSum {
    /// Adds up the charges among `rows`; notes are passed over.
    public init(_ rows: [LedgerRow]) {
        self.init()
        for row in rows where row.kind.isCharge {
            nanoUSD += row.nanoUSD
            usage = usage + row.usage
            requests += row.requests
            calls += row.calls
        }
    }
}

extension LeaseCharges {
    /// From all rows of one lease.
    public init(_ rows: [LedgerRow]) {
        self.init(sum: LedgerSum(rows), isSettled: rows.contains { $0.kind == .settle || $0.kind == .resolve })
    }
}
