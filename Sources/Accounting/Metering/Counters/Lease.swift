/// Names a lease. The counters are part of it because every window of its path lives in them.
public struct LeaseKey: Sendable, Hashable {
    /// The org's counters, or those of one of its slots.
    public let org: CounterSlot
    public let id: String

    public init(org: CounterSlot, id: String) {
        self.org = org
        self.id = id
    }
}

/// The process that spends a lease. A command with a lower fence than the lease's comes from a process that was given
/// up, and is refused.
public struct LeaseHolder: Sendable, Hashable {
    public let node: String
    public let fence: Int64

    public init(node: String, fence: Int64) {
        self.node = node
        self.fence = fence
    }
}

/// Who and what a charge is for.
public struct Attribution: Sendable, Hashable {
    public let path: TenancyPath
    public let run: String
    /// Or the tool that was called (``ToolName/subject``).
    public let model: String
    /// Version of the price table at admission; empty when the model has no price.
    public let priceVersion: String

    public init(path: TenancyPath, run: String, model: String, priceVersion: String) {
        self.path = path
        self.run = run
        self.model = model
        self.priceVersion = priceVersion
    }

    public var tool: ToolName? { ToolName(subject: model) }
}

/// What a lease has consumed **since it was opened**: a total and no difference, so that a command may be lost, repeated
/// or overtaken without being counted twice.
public struct Spent: Sendable, Hashable {
    /// Rounded up once over the total.
    public var nanoUSD: Int64
    public var usage: UsageClasses
    public var requests: Int64
    /// Of a tool.
    public var calls: Int64
    /// True when the provider did not report this and we counted.
    public var estimated: Bool

    public init(nanoUSD: Int64 = 0, usage: UsageClasses = .zero, requests: Int64 = 0, calls: Int64 = 0, estimated: Bool = false) {
        self.nanoUSD = nanoUSD
        self.usage = usage
        self.requests = requests
        self.calls = calls
        self.estimated = estimated
    }

    public static let zero = Spent()

    public var amounts: Amounts { Amounts(nanoUSD: nanoUSD, usage: usage, requests: requests, calls: calls) }

    public var isValid: Bool { usage.isValid && amounts.isValid }

    /// True when no part is smaller than in `earlier`.
    func covers(_ earlier: Spent) -> Bool {
        let more = usage - earlier.usage
        return nanoUSD >= earlier.nanoUSD && requests >= earlier.requests && calls >= earlier.calls && more.inputFresh >= 0
            && more.inputCacheRead >= 0
            && more.inputCacheWrite >= 0 && more.outputVisible >= 0 && more.outputReasoning >= 0
    }
}

/// One size of slice that a node would take, priced by the node at the worst case.
public struct Offer: Sendable, Hashable {
    public let tokens: Int64
    public let amounts: Amounts

    public init(tokens: Int64, amounts: Amounts) {
        self.tokens = tokens
        self.amounts = amounts
    }
}

/// How the last command of a lease was decided. Kept with the lease, so that a repeat of the same sequence number is
/// answered alike (with the windows as they are at the repeat).
public enum LeaseDecision: Sendable, Hashable {
    case granted(offer: Int)
    case denied(by: WindowKey)
    case committed
    case rolled
    case settled(overrun: Amounts)

    /// Compact form for stores: `g3`, `d<window key>`, `c`, `r`, `s1,2,3`.
    public var text: String {
        switch self {
        case .granted(let offer): "g\(offer)"
        case .denied(let window): "d\(window.text)"
        case .committed: "c"
        case .rolled: "r"
        case .settled(let overrun): "s\(overrun.text)"
        }
    }

    public init?(_ text: String) {
        let rest = String(text.dropFirst())
        switch text.first {
        case "g":
            guard let offer = Int(rest) else { return nil }
            self = .granted(offer: offer)
        case "d":
            guard let window = WindowKey(rest) else { return nil }
            self = .denied(by: window)
        case "c": self = .committed
        case "r": self = .rolled
        case "s":
            guard let overrun = Amounts(rest) else { return nil }
            self = .settled(overrun: overrun)
        default: return nil
        }
    }
}

/// A lease as the store keeps it.
public struct LeaseState: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable {
        /// Its amounts are in `held` of each window of its path.
        case live
        /// Its holder was not heard of in time: its amounts are in `suspense`, and only evidence frees them.
        case suspended
        /// Done; kept for a while so that a repeated settlement is answered alike.
        case settled
    }

    public let key: LeaseKey
    public var holder: LeaseHolder
    public let attribution: Attribution
    public let path: [WindowKey]
    /// The earliest end of the path's windows; nothing is granted from it on.
    public let spanEnd: Milliseconds
    /// Held in every window of the path, or in suspense there when ``phase`` is suspended.
    public var held: Amounts
    public var spent: Spent
    /// Of the last command that was decided; 0 after `open`.
    public var sequence: Int64
    public var decision: LeaseDecision
    public var expiresAt: Milliseconds
    public var phase: Phase
    /// The newest version of any budget when the ones of the path were read: a window of a higher generation came later.
    public let known: Int64

    public init(
        key: LeaseKey, holder: LeaseHolder, attribution: Attribution, path: [WindowKey], spanEnd: Milliseconds, held: Amounts,
        spent: Spent, sequence: Int64, decision: LeaseDecision, expiresAt: Milliseconds, phase: Phase, known: Int64 = 0
    ) {
        self.known = known
        self.key = key
        self.holder = holder
        self.attribution = attribution
        self.path = path
        self.spanEnd = spanEnd
        self.held = held
        self.spent = spent
        self.sequence = sequence
        self.decision = decision
        self.expiresAt = expiresAt
        self.phase = phase
    }
}
