/// Tokens of one call by how they are priced. The classes are disjoint: a token is counted in exactly one, whatever
/// convention the provider reports in (metering.md §5).
public struct UsageClasses: Sendable, Hashable, Codable {
    /// Prompt tokens that were neither read from nor written to a cache.
    public var inputFresh: Int64
    public var inputCacheRead: Int64
    public var inputCacheWrite: Int64
    public var outputVisible: Int64
    public var outputReasoning: Int64

    public init(
        inputFresh: Int64 = 0, inputCacheRead: Int64 = 0, inputCacheWrite: Int64 = 0, outputVisible: Int64 = 0,
        outputReasoning: Int64 = 0
    ) {
        self.inputFresh = inputFresh
        self.inputCacheRead = inputCacheRead
        self.inputCacheWrite = inputCacheWrite
        self.outputVisible = outputVisible
        self.outputReasoning = outputReasoning
    }

    public static let zero = UsageClasses()

    public var input: Int64 { inputFresh + inputCacheRead + inputCacheWrite }
    public var output: Int64 { outputVisible + outputReasoning }
    public var total: Int64 { input + output }

    /// True when each class is within what one call or a sum of calls can hold, so that adding them cannot overflow.
    public var isValid: Bool {
        [inputFresh, inputCacheRead, inputCacheWrite, outputVisible, outputReasoning].allSatisfy {
            (0...AccountingLimits.amountMax).contains($0)
        }
    }

    public static func - (left: UsageClasses, right: UsageClasses) -> UsageClasses {
        UsageClasses(
            inputFresh: left.inputFresh - right.inputFresh, inputCacheRead: left.inputCacheRead - right.inputCacheRead,
            inputCacheWrite: left.inputCacheWrite - right.inputCacheWrite, outputVisible: left.outputVisible - right.outputVisible,
            outputReasoning: left.outputReasoning - right.outputReasoning)
    }

    public static func + (left: UsageClasses, right: UsageClasses) -> UsageClasses {
        UsageClasses(
            inputFresh: left.inputFresh + right.inputFresh, inputCacheRead: left.inputCacheRead + right.inputCacheRead,
            inputCacheWrite: left.inputCacheWrite + right.inputCacheWrite, outputVisible: left.outputVisible + right.outputVisible,
            outputReasoning: left.outputReasoning + right.outputReasoning)
    }
}
