/// Why a counter store did not answer. The command may or may not have been applied; repeating it is safe.
public enum CounterStoreError: Error, Sendable, Hashable {
    /// No connection, or no answer in time.
    case unreachable(String)
    /// The store's queue is full.
    case overloaded
    /// The store answered something that is no reply, or could not write.
    case failed(String)
}

/// Where windows and leases live. Decides as ``CounterMachine`` does, command by command, with its own clock.
public protocol CounterStore: Sendable {
    func apply(_ command: CounterCommand) async throws(CounterStoreError) -> CounterReply

    /// Like ``apply(_:)``, but `.lost` and nothing done when the org's counters are not in this life any more: a `load` or an `assert`
    /// brings in what the ledger said before, and an `open` that comes late would open what is settled. A life may end without its
    /// incarnation (``CounterRebuild``).
    func apply(_ command: CounterCommand, in life: Epoch) async throws(CounterStoreError) -> CounterReply

    /// Names what holds the org's data now; another name means that data may have been lost (see ``Epoch``). Empty where none can
    /// be, or while it is not known.
    func incarnation(org: CounterSlot) -> String

    /// Returns when every ledger row that this store has made for `org` so far is in the ledger.
    func flushRows(org: CounterSlot) async throws(CounterStoreError)
}

extension CounterStore {
    public func incarnation(org: CounterSlot) -> String { "" }

    /// For stores that lose nothing.
    public func apply(_ command: CounterCommand, in life: Epoch) async throws(CounterStoreError) -> CounterReply {
        try await apply(command)
    }
}

public enum LedgerStoreError: Error, Sendable, Hashable {
    case unreachable(String)
    case failed(String)
}

/// What a scope consumed in some time: the sum of charges.
public struct LedgerSum: Sendable, Hashable {
    public var nanoUSD: Int64
    public var usage: UsageClasses
    public var requests: Int64
    public var calls: Int64

    public init(nanoUSD: Int64 = 0, usage: UsageClasses = .zero, requests: Int64 = 0, calls: Int64 = 0) {
        self.nanoUSD = nanoUSD
        self.usage = usage
        self.requests = requests
        self.calls = calls
    }

    public var amounts: Amounts { Amounts(nanoUSD: nanoUSD, usage: usage, requests: requests, calls: calls) }
}

/// The append-only ledger: the durable truth about what was consumed.
public protocol LedgerStore: Sendable {
    /// Appends rows; a charge id that is there already is left as it is, and a row of a life of its org's counters that
    /// was sealed is refused (see ``CounterRoot``).
    ///
    /// - Returns: how many rows were new.
    @discardableResult
    func append(_ rows: [LedgerRow]) async throws(LedgerStoreError) -> Int

    /// What was charged to one lease, which was opened for `run`.
    func charges(of lease: LeaseKey, run: String) async throws(LedgerStoreError) -> LeaseCharges

    /// The sum of charges of `scope` with `from <= at < to`, for one model or for all.
    func sum(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds) async throws(LedgerStoreError) -> LedgerSum

    /// The same by ``CounterSlot/index``; a slot without charges is not in it.
    func sums(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds
    ) async throws(LedgerStoreError) -> [Int: LedgerSum]
}

extension LedgerStore {
    /// For all models.
    public func sum(_ scope: Scope, from: Milliseconds, to: Milliseconds) async throws(LedgerStoreError) -> LedgerSum {
        try await sum(scope, model: nil, from: from, to: to)
    }
}

/// What the ledger holds of one lease.
public struct LeaseCharges: Sendable, Hashable {
    public var sum: LedgerSum
    /// True when its last charge is there: nothing more may be charged to it.
    public var isSettled: Bool

    public init(sum: LedgerSum = LedgerSum(), isSettled: Bool = false) {
        self.sum = sum
        self.isSettled = isSettled
    }
}

/// What of a window's cap the durable root has let the counters have.
public struct Release: Sendable, Hashable {
    /// In the unit's base, to these counters.
    public let released: Int64
    /// Grows with every change of what these counters were given, up or down; they obey the highest.
    public let turn: Int64
    /// False while what was released in an earlier life of the counters is not accounted for.
    public let isCleared: Bool
    /// True when no counters of the org have been given anything of the window yet.
    public let isFirst: Bool

    public init(released: Int64, turn: Int64 = 0, isCleared: Bool, isFirst: Bool = false) {
        self.released = released
        self.turn = turn
        self.isCleared = isCleared
        self.isFirst = isFirst
    }
}

/// The durable root of counters that may lose what they acknowledged: the lives they have had (``Epoch``), who must answer for the last
/// one, and how much of each cap they were given.
///
/// It lives where the ledger lives, because sealing a life and refusing its late rows must be one decision.
public protocol CounterRoot: Sendable {
    /// The org's present life; nil before its first.
    func life(org: CounterSlot) async throws(LedgerStoreError) -> EpochState?

    /// Ends the life `last` and begins `incarnation`'s; the same incarnation twice in a row is one life. A first life is cleared from
    /// the start: nobody can hold anything of an earlier one.
    ///
    /// Compares and swaps: a process that has slept must not end, for an incarnation that it saw before, the life that others began since.
    /// - Parameter last: the number of the life that ``life(org:)`` gave *before* the incarnation was looked at; 0 for none.
    /// - Returns: the present life, which is another's when `last` was not the present one.
    func seal(org: CounterSlot, incarnation: String, after last: Int64) async throws(LedgerStoreError) -> EpochState

    /// Raises what these counters may grant of a window to `target`, if it is less; 0 asks only. Never lowers it, and never above what the
    /// cap (``WindowRef/cap``) leaves beside what other slots of the org were given: then to that. A raise is a new turn.
    ///
    /// - Parameters:
    ///   - org: the counters, here and below.
    ///   - shares: what the ledger has by ``CounterSlot/index``. When nothing of the window was released to any slot yet, each of these
    ///     slots is first given what it has used already.
    /// - Returns: nil when `incarnation` is not that of the counters' present life: they are not to be given anything.
    func release(
        _ window: WindowRef, org: CounterSlot, incarnation: String, upTo target: Int64, shares: [Int: Int64]
    ) async throws(LedgerStoreError) -> Release?

    /// What was released of a window, by ``CounterSlot/index``.
    func releases(_ window: WindowRef) async throws(LedgerStoreError) -> [Int: Int64]

    /// Begins to take back what these counters have not granted: a new turn, so that no release of an earlier one is obeyed after it.
    ///
    /// - Returns: its number; nil when `incarnation` is not that of their present life, or nothing was released to them.
    func beginRecall(_ window: WindowRef, org: CounterSlot, incarnation: String) async throws(LedgerStoreError) -> Int64?

    /// The counters have obeyed that turn and kept `released`: the rest may be given to others. Does nothing when another turn was begun since,
    /// and never raises.
    func endRecall(_ window: WindowRef, org: CounterSlot, turn: Int64, released: Int64) async throws(LedgerStoreError)

    /// The indices of the org's slots whose counters have ever had a life.
    func slots(org: OrgID) async throws(LedgerStoreError) -> [Int]

    /// The same of every org.
    func everySlot() async throws(LedgerStoreError) -> [CounterSlot]

    /// This process lives and may hold something.
    func beat(_ holder: LeaseHolder) async throws(LedgerStoreError)

    /// All that this process held is settled: nobody has to wait for it any more.
    func leave(_ holder: LeaseHolder) async throws(LedgerStoreError)

    /// The lives that are not cleared yet.
    func pending() async throws(LedgerStoreError) -> [CounterSlot: Epoch]

    /// The processes that the org's present life still waits for; none when it is cleared.
    func awaited(org: CounterSlot) async throws(LedgerStoreError) -> [LeaseHolder]

    /// `holder` has brought in all that it held of `org`.
    ///
    /// - Returns: true when every process has that was ever heard of and did not leave, and the life is cleared. One that died is waited
    ///   for: only it, started again, knows what it had spent.
    func confirm(org: CounterSlot, epoch: Epoch, holder: LeaseHolder) async throws(LedgerStoreError) -> Bool
}

extension CounterRoot {
    public func release(
        _ window: WindowRef, org: CounterSlot, incarnation: String, upTo target: Int64
    ) async throws(LedgerStoreError) -> Release? {
        try await release(window, org: org, incarnation: incarnation, upTo: target, shares: [:])
    }
}

public struct BudgetDirectoryError: Error, Sendable, Hashable {
    public let message: String

    public init(_ message: String) { self.message = message }
}

/// Which budgets limit a path.
public protocol BudgetDirectory: Sendable {
    /// The budgets of every scope of the path as they stand now, whoever set them.
    func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> BudgetReading

    /// The same, at the price of a comparison while no budget has changed: a live run asks with every refill.
    ///
    /// - Returns: nil when no budget of any path has changed since the reading of that edition.
    func budgets(for path: TenancyPath, changedSince edition: Int64) async throws(BudgetDirectoryError) -> BudgetReading?
}

/// The budgets of a path at one moment.
public struct BudgetReading: Sendable, Hashable {
    /// Widest scope first.
    public let budgets: [Budget]
    /// Different after every change of any budget, by any process.
    public let edition: Int64
    /// The newest version that any budget had: one that was made later has a higher ``Budget/generation``.
    public let newest: Int64

    /// - Parameter newest: nil for the newest of `budgets`, which is never too much.
    public init(budgets: [Budget], edition: Int64, newest: Int64? = nil) {
        self.budgets = budgets
        self.edition = edition
        self.newest = newest ?? budgets.map(\.version).max() ?? 0
    }

    /// Without the budgets of other models, and of tools.
    public func limiting(_ model: String) -> BudgetReading {
        filtered { $0.model == nil ? $0.unit != .calls : $0.model == model }
    }

    /// The budgets that a call of `tool` spends under: of calls and money, without those of models and other tools.
    public func limiting(_ tool: ToolName) -> BudgetReading {
        filtered { ($0.unit == .calls || $0.unit == .usd) && ($0.model == nil || $0.model == tool.subject) }
    }

    private func filtered(_ isIncluded: (Budget) -> Bool) -> BudgetReading {
        BudgetReading(budgets: budgets.filter(isIncluded), edition: edition, newest: newest)
    }
}

/// Time, injected. Windows follow the store's clock, so `now` only has to be a guess; leases follow `monotonic`.
public protocol AccountingClock: Sendable {
    /// Wall clock, UTC.
    func now() -> Milliseconds
    /// Never runs backwards and goes on while the machine sleeps.
    func monotonic() -> Milliseconds
    /// Returns after `duration`, or early when the task is cancelled.
    func sleep(_ duration: Milliseconds) async
}

extension AccountingClock {
    public func sleep(_ duration: Milliseconds) async {
        // Cancellation is the only error, and waking early is what is wanted then.
        try? await Task.sleep(for: .milliseconds(duration.rawValue))
    }
}

/// The machine's own clocks, without Foundation.
public struct SystemAccountingClock: AccountingClock {
    private let origin = ContinuousClock.now
    private let wall: @Sendable () -> Milliseconds

    /// - Parameter wall: the wall clock in UTC; the composition root brings it, because the standard library has none.
    public init(wall: @escaping @Sendable () -> Milliseconds) { self.wall = wall }

    public func now() -> Milliseconds { wall() }

    public func monotonic() -> Milliseconds {
        let (seconds, attoseconds) = (ContinuousClock.now - origin).components
        return Milliseconds(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}

/// Where Accounting counts what it does. Called from any task; must not wait.
public protocol AccountingMetrics: Sendable {
    /// One command to the counter store; `name` as in ``CounterCommand/name``.
    func counterOperation(_ name: String, failed: Bool)
    /// A run was settled; `estimated` when no provider said what it used.
    func charged(model: String, usage: UsageClasses, cost: NanoUSD, estimated: Bool)
    /// Settlements that wait for the store to come back.
    func settlementsPending(_ count: Int)
}
