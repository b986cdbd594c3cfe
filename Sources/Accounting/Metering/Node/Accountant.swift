internal import Synchronization

/// Admits runs, keeps their leases alive and brings every settlement home.
///
/// One a process. Shared state is in a `Mutex`; ``run()`` must be running for heartbeats, late settlements and reaping.
public final class Accountant: Sendable {
    struct State {
        var prices: PriceTable
        /// By ``StreamLease/number``.
        var leases: [Int: StreamLease] = [:]
        var lastLease = 0
        /// What is not known to be in the ledger, in the order in which it came.
        var settlements: [Int: OpenSettlement] = [:]
        var lastSettlement = 0
        /// A settlement found no room: what it was about is with the reaper, and nobody can say that all is settled.
        var hasForgotten = false
        /// Store time minus our wall clock.
        var offset = Milliseconds(0)
        var random: any RandomNumberGenerator & Sendable
        /// Windows that the store was seen to have.
        var known: Set<LoadedWindow> = []
        var loading: [LoadedWindow: Task<Bool, Never>] = [:]
        /// The life of each org's counters that this process has seen begin, the one that it has brought its leases into, and the one
        /// whose counters were told that everybody has.
        var lives: [CounterSlot: Epoch] = [:]
        var claimed: [CounterSlot: Int64] = [:]
        var cleared: [CounterSlot: Int64] = [:]
        var recovering: [CounterSlot: Task<Bool, Never>] = [:]
        /// Windows for which the durable root is being asked, and the round of answers that is under way.
        var widening: [LoadedWindow: Task<Widening, Never>] = [:]
        /// What the slots of split orgs were last seen to have.
        var seen: [SlotWindow: WindowSnapshot] = [:]
        var answering: Task<Void, Never>?
        /// True once the durable root has heard of this process.
        var isKnown = false
    }

    struct LoadedWindow: Hashable {
        let org: CounterSlot
        let key: WindowKey
        let generation: Int64

        init(_ ref: WindowRef, org: CounterSlot) {
            self.org = org
            key = ref.key
            generation = ref.generation
        }
    }

    let store: any CounterStore
    let ledger: any LedgerStore
    let directory: any BudgetDirectory
    /// Nil for counters that lose nothing.
    let root: (any CounterRoot)?
    let board: (any LeaseBoard)?
    private let rootRounds: Int
    private let slots: [OrgID: Int]
    private let sliceSeconds: Int64
    let clock: any AccountingClock
    let holder: LeaseHolder
    let metrics: (any AccountingMetrics)?
    let ttl: Milliseconds
    let pendingSettlements: Int
    private let executor: (any TaskExecutor)?
    let state: Mutex<State>

    /// - Parameters:
    ///   - holder: this process; its fence must be higher than that of any earlier process of the same node.
    ///   - executor: where tasks that outlive their caller run; nil for the global one. A simulation brings its own.
    ///   - slots: over how many sets of counters an org is split; one that is not named is not split. Needs a root.
    ///   - sliceSeconds: how long a slice lasts at its stream's speed.
    ///   - rootRounds: how often an admission asks again for what the durable root holds back, a tenth of a second apart.
    ///   - pendingSettlements: how many may wait for the store to come back.
    ///   - random: for the ids of leases.
    public init(
        store: any CounterStore, ledger: any LedgerStore, directory: any BudgetDirectory, prices: PriceTable, holder: LeaseHolder,
        clock: any AccountingClock, root: (any CounterRoot)? = nil, board: (any LeaseBoard)? = nil,
        slots: [OrgID: Int] = [:], sliceSeconds: Int64 = AccountingLimits.sliceSeconds, metrics: (any AccountingMetrics)? = nil,
        leaseTTL: Milliseconds = AccountingLimits.leaseTTL, rootRounds: Int = AccountingLimits.rootRounds,
        pendingSettlements: Int = AccountingLimits.pendingSettlements, executor: (any TaskExecutor)? = nil,
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.store = store
        self.ledger = ledger
        self.directory = directory
        self.root = root
        self.board = board
        self.rootRounds = rootRounds
        self.sliceSeconds = sliceSeconds
        self.slots = root == nil ? [:] : slots
        self.holder = holder
        self.clock = clock
        self.metrics = metrics
        ttl = leaseTTL
        self.pendingSettlements = pendingSettlements
        self.executor = executor
        state = Mutex(State(prices: prices, random: random))
    }

    /// Starts work that no caller waits for to its end. Not structured: see each use.
    func start<Success: Sendable>(_ work: @escaping @Sendable () async -> Success) -> Task<Success, Never> {
        Task(executorPreference: executor) { await work() }
    }

    /// Runs that start from now on are priced by this table.
    public func update(prices: PriceTable) { state.withLock { $0.prices = prices } }

    /// Over how many sets of counters the org of these is split.
    func slots(ofOrgOf counters: CounterSlot) -> Int { slots(of: counters.org) }

    func slots(of org: OrgID) -> Int { slots[org] ?? 1 }

    /// The counters of a run.
    func counters(of attribution: Attribution) -> CounterSlot {
        let path = attribution.path
        return CounterSlot(org: path.org, of: slots[path.org] ?? 1, user: path.user, run: attribution.run)
    }

    public var liveLeases: Int { state.withLock { $0.leases.count } }

    // MARK: Admission

    /// Holds the worst case of the prompt and a first slice in every window of the path, or refuses.
    public func open(_ admission: Admission) async -> AdmissionOutcome {
        guard let reading = await budgets(for: admission.path)?.limiting(admission.model) else { return .unavailable }
        let budgets = reading.budgets
        let prices = state.withLock { $0.prices }
        let known = prices.pricing(for: admission.model)
        guard known != nil || !budgets.contains(where: { $0.unit == .usd }) else { return .priceUnknown(model: admission.model) }
        let run = RunCost(pricing: known ?? ModelPricing(.free), prompt: admission.prompt, countsRequest: admission.countsRequest)
        let attribution = Attribution(
            path: admission.path, run: admission.run, model: admission.model, priceVersion: known == nil ? "" : prices.version)
        let isReserved = admission.mode == .reserve
        let largest =
            isReserved
            ? admission.maxOutput ?? AccountingLimits.reservedOutputTokens
            : min(AccountingLimits.firstSliceTokens, admission.maxOutput ?? .max)
        let offers = SliceLadder.offers(
            largest: largest, smallest: admission.minimumOutput, run: run, balance: 0, authorised: run.fixed.nanoUSD)
        for _ in 0..<AccountingLimits.openAttempts {
            let outcome = await openLease(
                attribution, reading: reading, fixed: run.fixed, offers: offers,
                shareFloor: isReserved ? AccountingLimits.amountMax : AccountingLimits.shareFloorTokens)
            switch outcome {
            case .unavailable: return .unavailable
            case .denied(let cause): return .refused(cause)
            case .opened(let grant, let note, let life):
                let machine = LeaseMachine(
                    holder: holder, ttl: ttl, run: run, outputMax: isReserved ? grant.tokens : admission.maxOutput,
                    isReserved: isReserved, sliceSeconds: sliceSeconds, grant: grant, now: clock.monotonic())
                let lease = StreamLease(
                    machine: machine, note: note, reading: reading, attribution: attribution, isPriced: known != nil,
                    outputTokensMax: isReserved ? grant.tokens : nil, accountant: self, clock: clock, number: nextLease())
                if register(lease, grantedIn: life) {
                    lease.begin()
                    return .admitted(lease)
                }
                abandon(grant.lease, note: note)
            }
        }
        return .unavailable
    }

    private func nextLease() -> Int {
        state.withLock { state in
            state.lastLease += 1
            return state.lastLease
        }
    }

    /// From now on this process answers for the lease in every life of the counters.
    ///
    /// - Returns: false when the life in which it was granted is over: this process may have answered for all that it had by then.
    private func register(_ lease: StreamLease, grantedIn life: Epoch?) -> Bool {
        state.withLock { state in
            guard state.lives[lease.counters] == life else { return false }
            state.leases[lease.number] = lease
            return true
        }
    }

    enum OpenOutcome {
        /// The life is the last one that this process had seen begin when it asked.
        case opened(LeaseMachine.Grant, (any LeaseNote)?, life: Epoch?)
        case denied(CutCause)
        case unavailable
    }

    /// Opens a lease under these budgets: brings windows in that the store lacks, and recomputes spans by the
    /// store's time where ours was off.
    func openLease(
        _ attribution: Attribution, reading: BudgetReading, fixed: Amounts, offers: [Offer], shareFloor: Int64, continues: Bool = false,
        ttl span: Milliseconds? = nil
    ) async -> OpenOutcome {
        let ttl = span ?? self.ttl
        // Before it holds anything the root has to know of it: it waits only for processes that it has heard of.
        guard await introduce() else { return .unavailable }
        let key = LeaseKey(org: counters(of: attribution), id: newLeaseID(run: attribution.run))
        var note: (any LeaseNote)?
        // What is not opened is on no board. Every other way out says so.
        var isOpen = false
        // A try that was not answered may arrive yet, also after the next one was refused.
        var isUncertain = false
        defer { if !isOpen { if isUncertain { abandon(key, note: note) } else { note?.remove() } } }
        var attempts = 0
        var stalls = 0
        while attempts < AccountingLimits.openAttempts, stalls < rootRounds {
            attempts += 1
            let guess = clock.now() + state.withLock { $0.offset }
            let path = reading.budgets.map { $0.window(at: guess) }
            guard await bringIn(path, org: key.org) else { return .unavailable }
            note?.remove()
            note = board?.post(LeaseClaim(lease: key, attribution: attribution, path: path, granted: .zero))
            let life = state.withLock { $0.lives[key.org] }
            let command = OpenLease(
                lease: key, holder: holder, attribution: attribution, path: path, fixed: fixed, offers: offers, shareFloor: shareFloor,
                continues: continues, known: reading.newest, ttl: ttl)
            let sent = clock.monotonic()
            let reply: CounterReply
            do {
                do { reply = try await apply(.open(command), in: life) } catch {
                    isUncertain = true
                    reply = try await apply(.open(command), in: life)
                }
            } catch { return .unavailable }
            switch reply {
            case .granted(let index, let windows, let now):
                isOpen = true
                guard offers.indices.contains(index) else { return .unavailable }
                note?.note(LeaseProgress(granted: fixed + offers[index].amounts))
                foresee(windows, path: path, org: key.org, now: now)
                let deadline = LeaseMachine.deadline(windows: windows, ttl: ttl, storeNow: now, sent: sent)
                return .opened(
                    LeaseMachine.Grant(
                        lease: key, tokens: offers[index].tokens, asked: offers[0].tokens,
                        authorised: fixed.nanoUSD + offers[index].amounts.nanoUSD,
                        windows: windows,
                        claim: LeaseClaim(lease: key, attribution: attribution, path: path, granted: fixed + offers[index].amounts),
                        deadline: deadline), note, life: life)
            case .denied(let window, _, let now) where window.isHeldBack:
                if let whole = shut(window, org: key.org, now: now) { return .denied(CutCause(deniedBy: whole)) }
                stalls += 1
                attempts = 0
                let least = (offers.last?.amounts ?? .zero) + fixed
                switch await widen(window, path: path, need: least[window.key.unit], org: key.org) {
                case .more: break
                case .notYet: await clock.sleep(AccountingLimits.rootPause)
                case .exhausted(let whole): return .denied(CutCause(deniedBy: whole))
                }
            case .denied(let window, _, _): return .denied(CutCause(deniedBy: window))
            case .lost: guard await recover(org: key.org) else { return .unavailable }
            case .wrongSpan(let now): state.withLock { $0.offset = now - clock.now() }
            case .missing(let keys, _): forget(keys, org: key.org)
            default:
                // For instance a process that was stopped in between: its first try was opened, and suspended since.
                isUncertain = true
                return .unavailable
            }
        }
        return .unavailable
    }

    /// An opening may be repeated: the same lease is not opened twice.
    func applyTwice(_ command: CounterCommand, in life: Epoch? = nil) async throws(CounterStoreError) -> CounterReply {
        do { return try await apply(command, in: life) } catch { return try await apply(command, in: life) }
    }

    /// An opening that was not answered may have been decided all the same. Nothing was spent from it, which is the
    /// evidence that frees it. It may also be decided yet: a lease that is not there is asked for again for a while.
    func abandon(_ lease: LeaseKey, note: (any LeaseNote)?) {
        let settlement = SettleLease(lease: lease, holder: holder, sequence: 1, spent: .zero)
        postpone(
            PendingSettlement(
                command: settlement, claim: nil, mayOpenUntil: clock.monotonic() + Milliseconds(ttl.rawValue / 3),
                note: note))
    }

    private func newLeaseID(run: String) -> String {
        let random = state.withLock { $0.random.next() }
        return "\(run).\(String(random, radix: 16))"
    }

    // MARK: For leases

    /// - Parameter life: the only one in which the command may be carried out, for what was computed from the ledger while the counters
    ///   were in it, and for what must not come to pass when it arrives late. Nil for any.
    func apply(_ command: CounterCommand, in life: Epoch? = nil) async throws(CounterStoreError) -> CounterReply {
        do {
            let reply = if let life { try await store.apply(command, in: life) } else { try await store.apply(command) }
            metrics?.counterOperation(command.name, failed: false)
            return reply
        } catch {
            metrics?.counterOperation(command.name, failed: true)
            throw error
        }
    }

    /// Nil when the directory cannot be asked.
    func budgets(for path: TenancyPath) async -> BudgetReading? { try? await directory.budgets(for: path) }

    /// Nil when nothing has changed, or when the directory cannot be asked: either way the caller goes on with what it knows.
    func budgets(for path: TenancyPath, changedSince edition: Int64) async -> BudgetReading? {
        do { return try await directory.budgets(for: path, changedSince: edition) } catch { return nil }
    }

    func setCap(_ budget: Budget, org: CounterSlot) async {
        let guess = clock.now() + state.withLock { $0.offset }
        let window = budget.window(at: guess).key
        // A failure needs no answer: the next admission carries the new cap to the store as well.
        _ = try? await apply(.setCap(org: org, window: window, cap: budget.limit, version: budget.version))
    }

    func finished(_ lease: StreamLease, usage: UsageClasses, cost: NanoUSD, estimated: Bool) {
        state.withLock { $0.leases[lease.number] = nil }
        metrics?.charged(model: lease.attribution.model, usage: usage, cost: cost, estimated: estimated)
    }
}
