/// The vector that windows count: one component a unit. Integers in the unit's base (nano-USD, tokens, requests, runs, calls).
///
/// `tokens` is counted on its own and not summed from the other two: a hold of 100 tokens in and 64 out covers 80 and 84 in
/// the sum, and not in `outputTokens`. Components of a difference may be negative; those of a command may not (see ``isValid``).
public struct Amounts: Sendable, Hashable, Codable {
    public var nanoUSD: Int64
    public var tokens: Int64
    public var requests: Int64
    public var inputTokens: Int64
    public var outputTokens: Int64
    /// Places among the runs at one time; held and given back, never used.
    public var runs: Int64
    public var calls: Int64

    public init(
        nanoUSD: Int64 = 0, tokens: Int64 = 0, requests: Int64 = 0, inputTokens: Int64 = 0, outputTokens: Int64 = 0, runs: Int64 = 0,
        calls: Int64 = 0
    ) {
        self.nanoUSD = nanoUSD
        self.tokens = tokens
        self.requests = requests
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.runs = runs
        self.calls = calls
    }

    /// What was consumed: every token is one of input or one of output.
    public init(nanoUSD: Int64, usage: UsageClasses, requests: Int64, calls: Int64) {
        self.init(
            nanoUSD: nanoUSD, tokens: usage.total, requests: requests, inputTokens: usage.input, outputTokens: usage.output,
            calls: calls)
    }

    public static let zero = Amounts()

    public subscript(unit: MeterUnit) -> Int64 {
        get {
            switch unit {
            case .usd: nanoUSD
            case .tokens: tokens
            case .requests: requests
            case .inputTokens: inputTokens
            case .outputTokens: outputTokens
            case .runs: runs
            case .calls: calls
            }
        }
        set {
            switch unit {
            case .usd: nanoUSD = newValue
            case .tokens: tokens = newValue
            case .requests: requests = newValue
            case .inputTokens: inputTokens = newValue
            case .outputTokens: outputTokens = newValue
            case .runs: runs = newValue
            case .calls: calls = newValue
            }
        }
    }

    /// True when every component is in 0…``AccountingLimits/amountMax``.
    public var isValid: Bool {
        MeterUnit.allCases.allSatisfy { (0...AccountingLimits.amountMax).contains(self[$0]) }
    }

    public static func + (left: Amounts, right: Amounts) -> Amounts { left.zipped(right) { $0 + $1 } }

    public static func - (left: Amounts, right: Amounts) -> Amounts { left.zipped(right) { $0 - $1 } }

    /// The smaller of both, component by component.
    func lowerBound(_ other: Amounts) -> Amounts { zipped(other) { min($0, $1) } }

    /// The larger of both, component by component.
    func upperBound(_ other: Amounts) -> Amounts { zipped(other) { max($0, $1) } }

    @inline(__always)
    private func zipped(_ other: Amounts, _ join: (Int64, Int64) -> Int64) -> Amounts {
        Amounts(
            nanoUSD: join(nanoUSD, other.nanoUSD), tokens: join(tokens, other.tokens), requests: join(requests, other.requests),
            inputTokens: join(inputTokens, other.inputTokens), outputTokens: join(outputTokens, other.outputTokens),
            runs: join(runs, other.runs), calls: join(calls, other.calls))
    }
}
