/// The counters of every org as a pure state machine: command and time in, reply out (metering.md §4.2).
///
/// It is the in-process store, and the model that the Redis functions are compared with. A value: whoever holds it
/// isolates it. What a command changed is collected until ``drainChanges()``, so that a store can write it before it
/// releases the reply.
public struct CounterMachine: Sendable {
    public internal(set) var windows: [WindowKey: WindowState] = [:]
    public internal(set) var leases: [LeaseKey: LeaseState] = [:]
    /// Orgs whose counters have had another life; the others are in ``Epoch/embedded``.
    public internal(set) var epochs: [CounterSlot: EpochState] = [:]
    var late = LateWindows()
    var changes = CounterChanges()

    public init() {}

    /// Takes up where a store left off.
    public init(windows: [WindowState], leases: [LeaseState]) {
        for window in windows { self.windows[window.key] = window }
        for lease in leases { self.leases[lease.key] = lease }
        recallLate()
    }

    /// Decides one command at the store's time `now`.
    ///
    /// - Parameters:
    ///   - incarnation: what the command was meant for; in another one nothing is done.
    ///   - life: the number of the only life in which it may be carried out; nil for any.
    public mutating func apply(
        _ command: CounterCommand, incarnation: String = "", life: Int64? = nil, now: Milliseconds
    ) -> CounterReply {
        if case .begin(let org, let epoch) = command { return begin(org, epoch, incarnation: incarnation, now: now) }
        if let org = command.org, !isCurrent(org, incarnation, life) { return .lost(now: now) }
        return switch command {
        case .open(let open): apply(open, now: now)
        case .step(let step): apply(step, now: now)
        case .settle(let settle): apply(settle, now: now)
        case .reap(let org, let grace): reap(org: org, grace: grace, now: now)
        case .begin: .done(now: now)
        case .clear(let org, let number): clear(org, number, now: now)
        case .release(_, let window, let released, let turn): release(window, to: released, turn: turn, now: now)
        case .recall(_, let window, let turn, let least): recall(window, turn: turn, least: least, now: now)
        case .ask(_, let window, let span): ask(window, for: span, now: now)
        case .asked(_, let window, let dry, let shut): asked(window, dryFor: dry, shutFor: shut, now: now)
        case .assert(let claim): apply(claim, now: now)
        case .announce(let org, let window): announce(org, window, now: now)
        case .load(let org, let window, let used, let released, let turn, let mark):
            load(org, window, used: used, released: released, turn: turn, mark: mark, now: now)
        case .setCap(_, let window, let cap, let version): setCap(window, cap: cap, version: version, now: now)
        case .read(_, let keys): .windows(keys.compactMap { windows[$0]?.snapshot }, now: now)
        case .resolve(let lease, let evidence): resolve(lease, evidence: evidence, now: now)
        }
    }

    /// What the commands since the last call changed, and starts anew.
    public mutating func drainChanges() -> CounterChanges {
        let drained = changes
        changes = CounterChanges()
        return drained
    }

    /// True when ``drainChanges()`` would return something.
    public var hasChanges: Bool { !changes.isEmpty }

    func snapshots(_ path: [WindowKey]) -> [WindowSnapshot] { path.compactMap { windows[$0]?.snapshot } }

    mutating func update(_ key: WindowKey, _ change: (inout WindowState) -> Void) {
        guard var window = windows[key] else { return }
        change(&window)
        windows[key] = window
        changes.windows.insert(key)
    }

    mutating func store(_ lease: LeaseState) {
        leases[lease.key] = lease
        changes.leases.insert(lease.key)
    }

    private mutating func load(
        _ org: CounterSlot, _ ref: WindowRef, used: Int64, released: Int64, turn: Int64, mark: Int64?, now: Milliseconds
    ) -> CounterReply {
        let amounts = 0...AccountingLimits.amountMax
        guard amounts.contains(ref.cap), amounts.contains(released), used <= AccountingLimits.amountMax else { return .refused(.amount) }
        if let loaded = windows[ref.key], ref.generation <= loaded.generation { return .done(now: now) }
        // Something was committed that the sum may lack or have: it is to be made again.
        if let mark, !late.isCurrent(mark, ref) { return announce(org, ref, now: now) }
        if let loaded = windows[ref.key] {
            // The budget was away and is back: the count missed what was spent meanwhile, the holds did not.
            windows[ref.key] = WindowState(
                org: org, ref: ref, used: used, held: loaded.held, suspense: loaded.suspense, released: released, turn: turn,
                unaccounted: loaded.unaccounted, liveLeases: loaded.liveLeases)
        } else {
            windows[ref.key] = WindowState(
                org: org, ref: ref, used: used, released: released, turn: turn, unaccounted: unaccounted(org, used, released))
        }
        late.loaded(ref, org: org)
        changes.windows.insert(ref.key)
        return .done(now: now)
    }

    /// After a loss, what the root had released and the ledger does not show may be in the hands of somebody.
    private func unaccounted(_ org: CounterSlot, _ used: Int64, _ released: Int64) -> Int64 {
        guard let state = epochs[org], !state.isCleared else { return 0 }
        return max(0, released - used)
    }

    private mutating func setCap(_ key: WindowKey, cap: Int64, version: Int64, now: Milliseconds) -> CounterReply {
        guard (0...AccountingLimits.amountMax).contains(cap) else { return .refused(.amount) }
        if var window = windows[key], window.setCap(cap, version: version) {
            windows[key] = window
            changes.windows.insert(key)
        }
        return .done(now: now)
    }
}

/// What has to be written before the replies of a batch may be released.
public struct CounterChanges: Sendable {
    /// Windows that were made or changed; those that ``CounterMachine/windows`` no longer has were removed.
    public var windows: Set<WindowKey> = []
    /// Leases that were made or changed; those that ``CounterMachine/leases`` no longer has were removed.
    public var leases: Set<LeaseKey> = []
    /// In the order in which they arose.
    public var rows: [LedgerRow] = []

    public init() {}

    public var isEmpty: Bool { windows.isEmpty && leases.isEmpty && rows.isEmpty }
}
