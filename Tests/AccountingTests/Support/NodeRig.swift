import Accounting
import Synchronization
import Testing

/// One node with memory stores on a clock that the test moves.
struct NodeRig {
    let clock: ManualClock
    let ledger = MemoryLedger()
    let store: MemoryCounterStore
    let switchable: SwitchableStore
    let directory: BudgetList
    let accountant: Accountant

    init(
        budgets: [Budget], price: ModelPrice? = ModelPrice(inputFresh: PicoUSD(150), outputVisible: PicoUSD(600)),
        at start: Milliseconds = ManualClock.monday
    ) {
        clock = ManualClock(start)
        store = MemoryCounterStore(clock: clock, ledger: ledger)
        switchable = SwitchableStore(store)
        directory = BudgetList(budgets)
        accountant = Accountant(
            store: switchable, ledger: ledger, directory: directory,
            prices: PriceTable(version: "v1", models: price.map { ["demo": ModelPricing($0)] } ?? [:]), holder: Make.holder, clock: clock)
    }

    /// Another process beside the same stores.
    func another(
        _ holder: LeaseHolder, board: (any LeaseBoard)? = nil, metrics: (any AccountingMetrics)? = nil,
        pendingSettlements: Int = AccountingLimits.pendingSettlements
    ) -> Accountant {
        Accountant(
            store: switchable, ledger: ledger, directory: directory,
            prices: PriceTable(
                version: "v1", models: ["demo": ModelPricing(ModelPrice(inputFresh: PicoUSD(150), outputVisible: PicoUSD(600)))]),
            holder: holder, clock: clock, board: board, metrics: metrics, pendingSettlements: pendingSettlements)
    }

    func admission(_ run: String) throws -> Admission {
        Admission(path: try Make.path(), run: run, model: "demo", prompt: .exact(10))
    }

    func open(
        _ run: String, prompt: PromptTokens = .exact(10), maxOutput: Int64? = nil, mode: Admission.Mode = .slices
    ) async throws
        -> AdmissionOutcome
    {
        await accountant.open(
            Admission(path: try Make.path(), run: run, model: "demo", prompt: prompt, maxOutput: maxOutput, mode: mode))
    }

    func admitted(_ run: String, prompt: PromptTokens = .exact(10)) async throws -> StreamLease {
        guard case .admitted(let lease) = try await open(run, prompt: prompt) else { throw CounterStoreContract.Unexpected.reply }
        return lease
    }

    func window(_ index: Int) async throws -> WindowState {
        let key = directory.list[index].window(at: clock.now()).key
        let machine = await store.machine
        return try #require(machine.windows[key])
    }
}

/// A counter store whose answers can be taken away.
final class SwitchableStore: CounterStore {
    private let inner: any CounterStore
    let isDown = Mutex(false)
    /// Of so many commands one is applied and its reply lost; 0 for none.
    let losesEvery = Mutex(0)
    private let count = Mutex(0)

    init(_ inner: any CounterStore) { self.inner = inner }

    var calls: Int { count.withLock { $0 } }

    func apply(_ command: CounterCommand) async throws(CounterStoreError) -> CounterReply {
        if isDown.withLock({ $0 }) { throw .unreachable("switched off") }
        let call = count.withLock { count in
            count += 1
            return count
        }
        let reply = try await inner.apply(command)
        let every = losesEvery.withLock { $0 }
        if every > 0, call % every == 0 { throw .unreachable("the reply was lost") }
        return reply
    }

    func flushRows(org: CounterSlot) async throws(CounterStoreError) { try await inner.flushRows(org: org) }
}

final class BudgetList: BudgetDirectory {
    private let state: Mutex<BudgetReading>
    private let count = Mutex(0)

    /// How often the whole list was read.
    var readings: Int { count.withLock { $0 } }

    init(_ budgets: [Budget]) { state = Mutex(BudgetReading(budgets: budgets, edition: 1)) }

    var list: [Budget] {
        get { state.withLock { $0.budgets } }
        set { state.withLock { $0 = BudgetReading(budgets: newValue, edition: $0.edition + 1) } }
    }

    func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> BudgetReading {
        count.withLock { $0 += 1 }
        return state.withLock { $0 }
    }

    func budgets(for path: TenancyPath, changedSince edition: Int64) async throws(BudgetDirectoryError) -> BudgetReading? {
        let reading = state.withLock { $0 }
        guard reading.edition != edition else { return nil }
        count.withLock { $0 += 1 }
        return reading
    }
}

/// Streams tokens one by one until the wish is met or the run is cut.
func stream(_ lease: StreamLease, wish: Int) async -> (delivered: Int, cut: CutCause?) {
    var delivered = 0
    while delivered < wish {
        var outcome = lease.take(outputTokens: 1)
        if outcome == .awaitGrant { outcome = await lease.awaitGrant() }
        switch outcome {
        case .paid: delivered += 1
        case .cut(let cause): return (delivered, cause)
        case .awaitGrant: continue
        }
    }
    return (delivered, nil)
}
