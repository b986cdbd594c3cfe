internal import Synchronization

/// The question whether a run may start.
public struct Admission: Sendable {
    public enum Mode: Sendable, Hashable {
        /// A slice at a time (mode S of metering.md §4.2).
        case slices
        /// The whole worst case at once; the upstream is then asked for no more than was granted (mode H).
        case reserve
    }

    public let path: TenancyPath
    /// Unique among all runs ever.
    public let run: String
    public let model: String
    public let prompt: PromptTokens
    /// What the client asked for, or the model's own maximum.
    public let maxOutput: Int64?
    /// With less output than this in reach the run is refused at once.
    public let minimumOutput: Int64
    public let mode: Mode

    public init(
        path: TenancyPath, run: String, model: String, prompt: PromptTokens, maxOutput: Int64? = nil, minimumOutput: Int64 = 1,
        mode: Mode = .slices
    ) {
        self.path = path
        self.run = run
        self.model = model
        self.prompt = prompt
        self.maxOutput = maxOutput.map { min(max(1, $0), AccountingLimits.outputTokensMax) }
        self.minimumOutput = min(max(1, minimumOutput), self.maxOutput ?? AccountingLimits.firstSliceTokens)
        self.mode = mode
    }
}

public enum AdmissionOutcome: Sendable {
    case admitted(StreamLease)
    case refused(CutCause)
    /// A money cap is on the path and the model's price is not known.
    case priceUnknown(model: String)
    /// The counters, the ledger or the budgets cannot be asked: nothing may start.
    case unavailable
}

/// Where Accounting counts what it does. Called from any task; must not wait.
public protocol AccountingMetrics: Sendable {
    /// One command to the counter store; `name` as in ``CounterCommand/name``.
    func counterOperation(_ name: String, failed: Bool)
    func charged(model: String, usage: UsageClasses, cost: NanoUSD)
    /// Settlements that wait for the store to come back.
    func settlementsPending(_ count: Int)
}

/// Admits runs, keeps their leases alive and brings every settlement home.
///
/// One a process. Shared state is in a `Mutex`; ``run()`` must be running for heartbeats, late settlements and reaping.
public final class Accountant: Sendable {
    private struct State {
        var prices: PriceTable
        var leases: [ObjectIdentifier: StreamLease] = [:]
        var pending: [SettleLease] = []
        /// Store time minus our wall clock.
        var offset = Milliseconds(0)
        var random = SystemRandomNumberGenerator()
    }

    private let store: any CounterStore
    private let ledger: any LedgerStore
    private let directory: any BudgetDirectory
    private let clock: any AccountingClock
    private let holder: LeaseHolder
    private let metrics: (any AccountingMetrics)?
    private let ttl: Milliseconds
    private let state: Mutex<State>

    /// - Parameter holder: this process; its fence must be higher than that of any earlier process of the same node.
    public init(
        store: any CounterStore, ledger: any LedgerStore, directory: any BudgetDirectory, prices: PriceTable, holder: LeaseHolder,
        clock: any AccountingClock, metrics: (any AccountingMetrics)? = nil, leaseTTL: Milliseconds = AccountingLimits.leaseTTL
    ) {
        self.store = store
        self.ledger = ledger
        self.directory = directory
        self.holder = holder
        self.clock = clock
        self.metrics = metrics
        ttl = leaseTTL
        state = Mutex(State(prices: prices))
    }

    /// Runs that start from now on are priced by this table.
    public func update(prices: PriceTable) { state.withLock { $0.prices = prices } }

    public var liveLeases: Int { state.withLock { $0.leases.count } }

    // MARK: Admission

    /// Holds the worst case of the prompt and a first slice in every window of the path, or refuses.
    public func open(_ admission: Admission) async -> AdmissionOutcome {
        guard let budgets = await budgets(for: admission.path) else { return .unavailable }
        let prices = state.withLock { $0.prices }
        let known = prices.pricing(for: admission.model)
        guard known != nil || !budgets.contains(where: { $0.unit == .usd }) else { return .priceUnknown(model: admission.model) }
        let run = RunCost(pricing: known ?? ModelPricing(.free), prompt: admission.prompt)
        let attribution = Attribution(
            path: admission.path, run: admission.run, model: admission.model, priceVersion: known == nil ? "" : prices.version)
        let isReserved = admission.mode == .reserve
        let largest =
            isReserved
            ? admission.maxOutput ?? AccountingLimits.reservedOutputTokens
            : min(AccountingLimits.firstSliceTokens, admission.maxOutput ?? .max)
        let offers = SliceLadder.offers(
            largest: largest, smallest: admission.minimumOutput, run: run, balance: 0, authorised: run.fixed.nanoUSD)
        let outcome = await openLease(
            attribution, fixed: run.fixed, offers: offers, shareFloor: isReserved ? .max : AccountingLimits.shareFloorTokens)
        switch outcome {
        case .unavailable: return .unavailable
        case .denied(let cause): return .refused(cause)
        case .opened(let grant, let budgets):
            let machine = LeaseMachine(
                holder: holder, ttl: ttl, run: run, outputMax: admission.maxOutput, grant: grant, now: clock.monotonic())
            let lease = StreamLease(
                machine: machine, budgets: budgets, attribution: attribution, outputTokensMax: isReserved ? grant.tokens : nil,
                accountant: self, clock: clock)
            state.withLock { $0.leases[ObjectIdentifier(lease)] = lease }
            return .admitted(lease)
        }
    }

    enum OpenOutcome {
        case opened(LeaseMachine.Grant, budgets: [Budget])
        case denied(CutCause)
        case unavailable
    }

    /// Opens a lease under the path's budgets of now: brings windows in that the store lacks, and recomputes spans by the
    /// store's time where ours was off.
    func openLease(_ attribution: Attribution, fixed: Amounts, offers: [Offer], shareFloor: Int64) async -> OpenOutcome {
        guard let budgets = await budgets(for: attribution.path) else { return .unavailable }
        let key = LeaseKey(org: attribution.path.org, id: newLeaseID(run: attribution.run))
        for _ in 0..<AccountingLimits.openAttempts {
            let guess = clock.now() + state.withLock { $0.offset }
            let path = budgets.map { $0.window(at: guess) }
            let command = OpenLease(
                lease: key, holder: holder, attribution: attribution, path: path, fixed: fixed, offers: offers, shareFloor: shareFloor,
                ttl: ttl)
            let sent = clock.monotonic()
            let reply: CounterReply
            do { reply = try await apply(.open(command)) } catch { return .unavailable }
            switch reply {
            case .granted(let index, let windows, let now):
                guard offers.indices.contains(index) else { return .unavailable }
                let deadline = LeaseMachine.deadline(windows: windows, ttl: ttl, storeNow: now, sent: sent)
                return .opened(
                    LeaseMachine.Grant(
                        lease: key, tokens: offers[index].tokens, authorised: fixed.nanoUSD + offers[index].amounts.nanoUSD,
                        windows: windows, deadline: deadline), budgets: budgets)
            case .denied(let window, _, _): return .denied(CutCause(deniedBy: window))
            case .wrongSpan(let now): state.withLock { $0.offset = now - clock.now() }
            case .missing(let keys, _):
                guard await load(path.filter { keys.contains($0.key) }, org: key.org) else { return .unavailable }
            default: return .unavailable
            }
        }
        return .unavailable
    }

    /// A window that the store does not know counts what the ledger holds for it (metering.md §9, trap 2).
    private func load(_ windows: [WindowRef], org: String) async -> Bool {
        do {
            try await store.flushRows(org: org)
            for window in windows {
                let sum = try await ledger.sum(window.key.scope, from: window.start, to: window.end)
                guard case .done = try await apply(.load(org: org, window: window, used: sum.amounts[window.key.unit])) else {
                    return false
                }
            }
            return true
        } catch {
            return false
        }
    }

    private func newLeaseID(run: String) -> String {
        let random = state.withLock { $0.random.next() }
        return "\(run).\(String(random, radix: 16))"
    }

    // MARK: For leases

    func apply(_ command: CounterCommand) async throws(CounterStoreError) -> CounterReply {
        do {
            let reply = try await store.apply(command)
            metrics?.counterOperation(command.name, failed: false)
            return reply
        } catch {
            metrics?.counterOperation(command.name, failed: true)
            throw error
        }
    }

    /// Nil when the directory cannot be asked.
    func budgets(for path: TenancyPath) async -> [Budget]? { try? await directory.budgets(for: path) }

    func setCap(_ budget: Budget, org: String) async {
        let guess = clock.now() + state.withLock { $0.offset }
        let window = budget.window(at: guess).key
        // A failure needs no answer: the next admission carries the new cap to the store as well.
        _ = try? await apply(.setCap(org: org, window: window, cap: budget.limit, version: budget.version))
    }

    /// Settles a lease, trying again for a while.
    ///
    /// - Returns: nil when the store could not be reached; the settlement is then kept and tried by ``run()``.
    func settle(_ command: SettleLease) async -> (overrun: Amounts, windows: [WindowSnapshot])? {
        var pause = AccountingLimits.retryPause
        for attempt in 1...AccountingLimits.settleAttempts {
            switch await trySettle(command) {
            case .settled(let overrun, let windows): return (overrun, windows)
            case .pointless: return nil
            case .failed where attempt < AccountingLimits.settleAttempts:
                await clock.sleep(pause)
                pause = pause + pause
            case .failed: break
            }
        }
        let count = state.withLock { state in
            if state.pending.count < AccountingLimits.pendingSettlements { state.pending.append(command) }
            return state.pending.count
        }
        metrics?.settlementsPending(count)
        return nil
    }

    private enum SettleOutcome {
        case settled(overrun: Amounts, windows: [WindowSnapshot])
        /// The store answered, and no repeat will change the answer.
        case pointless
        case failed
    }

    private func trySettle(_ command: SettleLease) async -> SettleOutcome {
        do {
            guard case .settled(let overrun, let windows, _) = try await apply(.settle(command)) else { return .pointless }
            return .settled(overrun: overrun, windows: windows)
        } catch {
            return .failed
        }
    }

    func finished(_ lease: StreamLease, usage: UsageClasses, cost: NanoUSD) {
        state.withLock { $0.leases[ObjectIdentifier(lease)] = nil }
        metrics?.charged(model: lease.attribution.model, usage: usage, cost: cost)
    }

    // MARK: The loop

    /// Heartbeats, late settlements and reaping, until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            await tick()
            await clock.sleep(Milliseconds(ttl.rawValue / 6))
        }
    }

    /// One round of ``run()``.
    public func tick() async {
        let (leases, pending) = state.withLock { state -> ([StreamLease], [SettleLease]) in
            defer { state.pending = [] }
            return (Array(state.leases.values), state.pending)
        }
        for lease in leases { lease.heartbeat() }
        var failed: [SettleLease] = []
        for (index, command) in pending.enumerated() {
            guard case .failed = await trySettle(command) else { continue }
            // The store is still away: the rest waits for the next round.
            failed = Array(pending[index...])
            break
        }
        let count = state.withLock { state in
            state.pending = failed + state.pending
            return state.pending.count
        }
        metrics?.settlementsPending(count)
        // A store that is away reaps when it is back.
        _ = try? await apply(.reap(org: nil, grace: AccountingLimits.reapGrace))
    }
}
