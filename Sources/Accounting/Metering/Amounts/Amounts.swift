/// The vector that windows count: one component a unit. Integers in the unit's base (nano-USD, tokens, requests).
///
/// Components of a difference may be negative; those of a command may not (see ``isValid``).
public struct Amounts: Sendable, Hashable, Codable {
    public var nanoUSD: Int64
    public var tokens: Int64
    public var requests: Int64

    public init(nanoUSD: Int64 = 0, tokens: Int64 = 0, requests: Int64 = 0) {
        self.nanoUSD = nanoUSD
        self.tokens = tokens
        self.requests = requests
    }

    public static let zero = Amounts()

    public subscript(unit: MeterUnit) -> Int64 {
        get {
            switch unit {
            case .usd: nanoUSD
            case .tokens: tokens
            case .requests: requests
            }
        }
        set {
            switch unit {
            case .usd: nanoUSD = newValue
            case .tokens: tokens = newValue
            case .requests: requests = newValue
            }
        }
    }

    /// True when every component is in 0…``AccountingLimits/amountMax``.
    public var isValid: Bool {
        MeterUnit.allCases.allSatisfy { (0...AccountingLimits.amountMax).contains(self[$0]) }
    }

    public static func + (left: Amounts, right: Amounts) -> Amounts {
        Amounts(nanoUSD: left.nanoUSD + right.nanoUSD, tokens: left.tokens + right.tokens, requests: left.requests + right.requests)
    }

    public static func - (left: Amounts, right: Amounts) -> Amounts {
        Amounts(nanoUSD: left.nanoUSD - right.nanoUSD, tokens: left.tokens - right.tokens, requests: left.requests - right.requests)
    }

    /// The smaller of both, component by component.
    func lowerBound(_ other: Amounts) -> Amounts {
        Amounts(nanoUSD: min(nanoUSD, other.nanoUSD), tokens: min(tokens, other.tokens), requests: min(requests, other.requests))
    }

    /// The larger of both, component by component.
    func upperBound(_ other: Amounts) -> Amounts {
        Amounts(nanoUSD: max(nanoUSD, other.nanoUSD), tokens: max(tokens, other.tokens), requests: max(requests, other.requests))
    }
}
