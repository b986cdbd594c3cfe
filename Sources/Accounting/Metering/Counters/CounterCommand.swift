/// What a node asks of the counters. Every command is decided at once, over all windows of its path, and may be
/// repeated: a repeat of an applied command changes nothing.
public enum CounterCommand: Sendable, Hashable {
    /// Admission: hold the worst case of the fixed part and a first slice, in every window or in none.
    case open(OpenLease)
    /// Commit, refill and heartbeat in one.
    case step(StepLease)
    /// The end of a lease: true up, free the rest.
    case settle(SettleLease)
    /// Moves leases that ended `grace` ago into suspense, and forgets what is long done. All orgs when `org` is nil.
    case reap(org: CounterSlot?, grace: Milliseconds)
    /// The ledger is going to be summed for a window, which is loaded next. Answered with `done` when it is there already.
    case announce(org: CounterSlot, window: WindowRef)
    /// Brings a window in with what the ledger says was used and the root has released. A window that is there in this
    /// generation stays as it is. `mark` is the one of the announcement before the ledger was summed: where something was committed
    /// since that counts in the window, it is announced again and not loaded. Nil loads whatever was committed.
    case load(
        org: CounterSlot, window: WindowRef, used: Int64, released: Int64 = AccountingLimits.amountMax, turn: Int64 = 0, mark: Int64? = nil)
    /// The durable root has released more of a window's cap; `released` is the sum. Obeyed when its turn (``Release/turn``) is later than the
    /// last one.
    case release(org: CounterSlot, window: WindowKey, released: Int64, turn: Int64)
    /// The durable root takes back what is not granted, for other slots of the org: half of it, or all where half is less than `least`.
    /// Answered with the window, of which ``WindowSnapshot/released`` is what was kept.
    case recall(org: CounterSlot, window: WindowKey, turn: Int64, least: Int64)
    /// A node wants to ask the root and the other slots of the org for some of this window. One does at a time: answered with `done` when it
    /// may, for so long, and otherwise with the window.
    case ask(org: CounterSlot, window: WindowKey, for: Milliseconds)
    /// It has asked. What it did not find these counters say for so long: that the root has nothing more (``WindowSnapshot/dryUntil``), or that
    /// nothing is left anywhere (``WindowSnapshot/shutUntil``).
    case asked(org: CounterSlot, window: WindowKey, dryFor: Milliseconds?, shutFor: Milliseconds?)
    /// A new life of an org's counters after they lost data.
    case begin(org: CounterSlot, Epoch)
    /// Brings a lease of an earlier life into this one.
    case assert(AssertLease)
    /// Every holder of an earlier life has brought its leases in: the rest was never spent.
    case clear(org: CounterSlot, epoch: Int64)
    /// A budget was changed. A window that is not loaded is left alone.
    case setCap(org: CounterSlot, window: WindowKey, cap: Int64, version: Int64)
    case read(org: CounterSlot, windows: [WindowKey])
    /// Evidence about a suspended lease: charge what was spent, free the rest.
    case resolve(LeaseKey, evidence: Spent)

    /// The word for metrics.
    public var name: String {
        switch self {
        case .open: "open"
        case .step: "step"
        case .settle: "settle"
        case .reap: "reap"
        case .announce: "announce"
        case .load: "load"
        case .setCap: "set_cap"
        case .read: "read"
        case .resolve: "resolve"
        case .release: "release"
        case .recall: "recall"
        case .ask: "ask"
        case .asked: "asked"
        case .begin: "begin"
        case .assert: "assert"
        case .clear: "clear"
        }
    }

    /// Whose counters it is about; nil for all.
    public var org: CounterSlot? {
        switch self {
        case .open(let open): open.lease.org
        case .step(let step): step.lease.org
        case .settle(let settle): settle.lease.org
        case .assert(let claim): claim.lease.org
        case .resolve(let lease, _): lease.org
        case .reap(let org, _): org
        case .announce(let org, _), .load(let org, _, _, _, _, _), .setCap(let org, _, _, _), .read(let org, _),
            .release(let org, _, _, _), .begin(let org, _), .clear(let org, _), .recall(let org, _, _, _), .ask(let org, _, _),
            .asked(let org, _, _, _):
            org
        }
    }
}

public struct OpenLease: Sendable, Hashable {
    public let lease: LeaseKey
    public let holder: LeaseHolder
    public let attribution: Attribution
    /// May be empty: then nothing limits the run, and its charges are recorded all the same.
    public let path: [WindowRef]
    /// Worst case of the prompt, and the request itself.
    public let fixed: Amounts
    /// Sizes of the first slice, largest first; one is granted or the run is refused.
    public let offers: [Offer]
    /// Offers up to this many tokens ignore the fair share.
    public let shareFloor: Int64
    /// True when the run lives already, under a lease that is settled next: its place is taken whether or not one is free.
    /// Until that settlement it counts twice, which refuses others a moment longer and never lets one in too many.
    public let continues: Bool
    /// See ``LeaseState/known``.
    public let known: Int64
    public let ttl: Milliseconds

    /// - Parameter known: nil for the newest of the path, which is never too much.
    public init(
        lease: LeaseKey, holder: LeaseHolder, attribution: Attribution, path: [WindowRef], fixed: Amounts, offers: [Offer],
        shareFloor: Int64 = AccountingLimits.shareFloorTokens, continues: Bool = false, known: Int64? = nil,
        ttl: Milliseconds = AccountingLimits.leaseTTL
    ) {
        self.known = known ?? path.map(\.version).max() ?? 0
        self.continues = continues
        self.lease = lease
        self.holder = holder
        self.attribution = attribution
        self.path = path
        self.fixed = fixed
        self.offers = offers
        self.shareFloor = shareFloor
        self.ttl = ttl
    }
}

public struct StepLease: Sendable, Hashable {
    public let lease: LeaseKey
    public let holder: LeaseHolder
    /// Greater than that of the last command; equal means a repeat.
    public let sequence: Int64
    /// Total since `open`; never less than in an earlier step.
    public let spent: Spent
    /// Sizes of the next slice, largest first; none for a mere commit or heartbeat.
    public let offers: [Offer]
    public let shareFloor: Int64
    public let ttl: Milliseconds

    public init(
        lease: LeaseKey, holder: LeaseHolder, sequence: Int64, spent: Spent, offers: [Offer],
        shareFloor: Int64 = AccountingLimits.shareFloorTokens, ttl: Milliseconds = AccountingLimits.leaseTTL
    ) {
        self.lease = lease
        self.holder = holder
        self.sequence = sequence
        self.spent = spent
        self.offers = offers
        self.shareFloor = shareFloor
        self.ttl = ttl
    }
}

public struct SettleLease: Sendable, Hashable {
    public let lease: LeaseKey
    public let holder: LeaseHolder
    public let sequence: Int64
    /// Total since `open`. May be below an earlier step (exact usage replaces a count) and above what is held (overrun).
    public let spent: Spent

    public init(lease: LeaseKey, holder: LeaseHolder, sequence: Int64, spent: Spent) {
        self.lease = lease
        self.holder = holder
        self.sequence = sequence
        self.spent = spent
    }
}

/// The answer to a command. `now` is the store's time, `windows` the whole path in the order it was opened with.
public enum CounterReply: Sendable, Hashable {
    case granted(offer: Int, windows: [WindowSnapshot], now: Milliseconds)
    /// Nothing was granted. For a step, what was spent is committed all the same and the lease lives on.
    case denied(by: WindowSnapshot, windows: [WindowSnapshot], now: Milliseconds)
    /// A step without offers.
    case committed(windows: [WindowSnapshot], now: Milliseconds)
    /// Also the answer to `resolve`.
    case settled(overrun: Amounts, windows: [WindowSnapshot], now: Milliseconds)
    /// To `read`: the windows that are loaded.
    case windows([WindowSnapshot], now: Milliseconds)
    /// To `load` and `setCap`.
    case done(now: Milliseconds)
    /// To `announce`, and to a `load` whose sum may be out of date: sum the ledger, then load with this mark.
    case announced(mark: Int64, now: Milliseconds)
    case reaped(leases: Int, now: Milliseconds)
    /// To `open`: these windows are not loaded. Nothing was done; a missing window is never taken for zero.
    case missing([WindowKey], now: Milliseconds)
    /// To `open`: a window does not contain the store's time, nothing was done. To `step`: a window of the lease has
    /// ended; what was spent is committed, nothing more will be granted, settle and open anew.
    case wrongSpan(now: Milliseconds)
    /// The counters are not in the life that the command was meant for, and decide nothing until ``CounterCommand/begin``.
    case lost(now: Milliseconds)
    /// The lease belongs to another process.
    case staleFence
    /// A command of this lease with a higher sequence number was decided already.
    case staleSequence
    /// The lease was reaped: stop spending, then settle.
    case suspended
    case unknownLease
    case refused(CounterRefusal)
}

/// A command that no correct node sends. Nothing was done.
public enum CounterRefusal: String, Error, Sendable, Hashable {
    /// An amount is negative or above ``AccountingLimits/amountMax``.
    case amount
    /// No offer in `open`, too many, or not in descending order.
    case offers
    /// Too many windows, or one twice.
    case path
    /// A step with a smaller total than before.
    case spentShrank = "spent_shrank"
    /// `ttl` or `grace` is not positive.
    case time
}
