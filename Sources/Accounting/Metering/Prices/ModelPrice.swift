/// What one token of each class costs.
public struct ModelPrice: Sendable, Hashable {
    public let inputFresh: PicoUSD
    public let inputCacheRead: PicoUSD
    public let inputCacheWrite: PicoUSD
    public let outputVisible: PicoUSD
    public let outputReasoning: PicoUSD

    public init(
        inputFresh: PicoUSD, inputCacheRead: PicoUSD? = nil, inputCacheWrite: PicoUSD? = nil, outputVisible: PicoUSD,
        outputReasoning: PicoUSD? = nil
    ) {
        self.inputFresh = inputFresh
        self.inputCacheRead = inputCacheRead ?? inputFresh
        self.inputCacheWrite = inputCacheWrite ?? inputFresh
        self.outputVisible = outputVisible
        self.outputReasoning = outputReasoning ?? outputVisible
    }

    public static let free = ModelPrice(inputFresh: .zero, outputVisible: .zero)

    /// - Throws: ``AmountError/tooLarge`` when the cost leaves `Int64`, which no call of a priced model can reach.
    public func cost(_ usage: UsageClasses) throws(AmountError) -> PicoUSD {
        var cost = try inputFresh.times(usage.inputFresh)
        cost = try cost.adding(try inputCacheRead.times(usage.inputCacheRead))
        cost = try cost.adding(try inputCacheWrite.times(usage.inputCacheWrite))
        cost = try cost.adding(try outputVisible.times(usage.outputVisible))
        return try cost.adding(try outputReasoning.times(usage.outputReasoning))
    }

    /// The larger of both, class by class.
    func upperBound(_ other: ModelPrice) -> ModelPrice {
        ModelPrice(
            inputFresh: max(inputFresh, other.inputFresh), inputCacheRead: max(inputCacheRead, other.inputCacheRead),
            inputCacheWrite: max(inputCacheWrite, other.inputCacheWrite), outputVisible: max(outputVisible, other.outputVisible),
            outputReasoning: max(outputReasoning, other.outputReasoning))
    }

    /// The dearest that a prompt token can turn out to be.
    public var inputWorst: PicoUSD { max(inputFresh, inputCacheRead, inputCacheWrite) }
    /// The dearest that an output token can turn out to be.
    public var outputWorst: PicoUSD { max(outputVisible, outputReasoning) }
}

/// A model's prices by the length of the prompt: some models price the whole call higher above a threshold.
public struct ModelPricing: Sendable, Hashable {
    public struct Tier: Sendable, Hashable {
        /// The tier holds for prompts of more tokens than this.
        public let promptAbove: Int64
        public let price: ModelPrice

        public init(promptAbove: Int64, price: ModelPrice) {
            self.promptAbove = promptAbove
            self.price = price
        }
    }

    public let base: ModelPrice
    /// By ascending threshold.
    public let tiers: [Tier]

    public init(_ base: ModelPrice) {
        self.base = base
        tiers = []
    }

    public init(base: ModelPrice, tiers: [Tier]) {
        self.base = base
        self.tiers = tiers.sorted { $0.promptAbove < $1.promptAbove }
    }

    /// The price of a call with that many prompt tokens.
    public func price(promptTokens: Int64) -> ModelPrice {
        tiers.last { promptTokens > $0.promptAbove }?.price ?? base
    }

    /// The dearest price, class by class, of all that a prompt of at most that many tokens can turn out to have.
    ///
    /// What is held before a call, when the prompt is only bounded: a tier that is cheaper than the one below it must not
    /// make a short prompt cost more than was held (metering.md §2, item 4).
    public func worst(promptUpTo bound: Int64) -> ModelPrice {
        tiers.reduce(base) { worst, tier in bound > tier.promptAbove ? worst.upperBound(tier.price) : worst }
    }

    public var isFree: Bool { ([base] + tiers.map(\.price)).allSatisfy { $0.inputWorst == .zero && $0.outputWorst == .zero } }
}
