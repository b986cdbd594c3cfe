internal import JSON

/// One entry of LiteLLM's file. Pure.
///
/// Three ways to say that long prompts cost more are read: none, `…_above_<N>k_tokens` beside the base prices, and
/// `tiered_pricing` with ranges. All of them reprice the whole call. A class without a price of its own costs what the
/// class that it would otherwise be counted in costs: cached input as fresh input, reasoning as visible output.
struct LiteLLMPrice {
    let name: String
    let fields: JSONObject

    /// - Returns: nil when the entry has no price for both input and output.
    func pricing() throws(PriceTableError) -> ModelPricing? {
        if let ranges = fields["tiered_pricing"], ranges != .null { return try ranged(ranges) }
        guard let base = try Quote(self, suffix: ""), let price = base.price else { return nil }
        var quote = base
        var tiers: [ModelPricing.Tier] = []
        for threshold in thresholds().sorted() {
            // What a tier leaves out stays as it is in the tier below it.
            quote.override(with: try Quote(self, suffix: "_above_\(threshold)k_tokens") ?? Quote())
            tiers.append(ModelPricing.Tier(promptAbove: threshold * 1_000, price: quote.price ?? price))
        }
        return ModelPricing(base: price, tiers: tiers)
    }

    /// `tiered_pricing: [{range: [0, 128000], input_cost_per_token, output_cost_per_token, …}, …]`, from 0 on and without gaps.
    ///
    /// - Returns: nil for ranges of anything else, such as a search engine's results: what is not understood has no price.
    private func ranged(_ value: JSONValue) throws(PriceTableError) -> ModelPricing? {
        guard let ranges = value.arrayValue, (1...AccountingLimits.priceTiers).contains(ranges.count) else { return nil }
        var tiers: [ModelPricing.Tier] = []
        var start: Int64 = 0
        for range in ranges {
            guard let fields = range.objectValue, let bounds = range["range"]?.arrayValue, bounds.count == 2,
                let first = try? Self.tokens(bounds[0]), let last = try? Self.tokens(bounds[1]), first == start, last > first,
                let price = try Quote(LiteLLMPrice(name: name, fields: fields), suffix: "")?.price
            else { return nil }
            tiers.append(ModelPricing.Tier(promptAbove: first, price: price))
            start = last
        }
        return ModelPricing(base: tiers[0].price, tiers: Array(tiers.dropFirst()))
    }

    private static func tokens(_ value: JSONValue) throws(AmountError) -> Int64 {
        try DecimalText.scaled(value.numberText ?? "", places: 0, rounding: .exact)
    }

    /// The N of every `…_above_<N>k_tokens`.
    private func thresholds() -> Set<Int64> {
        var found: Set<Int64> = []
        for member in fields.members {
            guard let marker = member.key.firstRange(of: "_above_"), member.key.hasSuffix("k_tokens") else { continue }
            let digits = member.key[marker.upperBound...].dropLast("k_tokens".count)
            if let threshold = Int64(digits), (1...100_000).contains(threshold) { found.insert(threshold) }
        }
        return found
    }

    fileprivate func price(_ field: String) throws(PriceTableError) -> PicoUSD? {
        guard let value = fields[field], value != .null else { return nil }
        guard let text = value.numberText ?? value.stringValue else { throw PriceTableError(model: name, field: field, rule: .notANumber) }
        let pico: Int64
        do { pico = try DecimalText.scaled(text, places: 12, rounding: .up) } catch {
            throw PriceTableError(model: name, field: field, rule: .amount(error))
        }
        guard pico <= AccountingLimits.pricePicoMax else { throw PriceTableError(model: name, field: field, rule: .tooHigh) }
        return PicoUSD(pico)
    }
}

/// The prices that an entry names, before those that it leaves out are filled in.
private struct Quote {
    var input: PicoUSD?
    var cacheRead: PicoUSD?
    var cacheWrite: PicoUSD?
    var output: PicoUSD?
    var reasoning: PicoUSD?

    init() {}

    init?(_ entry: LiteLLMPrice, suffix: String) throws(PriceTableError) {
        input = try entry.price("input_cost_per_token\(suffix)")
        cacheRead = try entry.price("cache_read_input_token_cost\(suffix)")
        cacheWrite = try entry.price("cache_creation_input_token_cost\(suffix)")
        output = try entry.price("output_cost_per_token\(suffix)")
        reasoning = try entry.price("output_cost_per_reasoning_token\(suffix)")
        guard [input, cacheRead, cacheWrite, output, reasoning].contains(where: { $0 != nil }) else { return nil }
    }

    mutating func override(with tier: Quote) {
        input = tier.input ?? input
        cacheRead = tier.cacheRead ?? cacheRead
        cacheWrite = tier.cacheWrite ?? cacheWrite
        // A tier that raises the price of output and is silent on reasoning does not make reasoning the cheaper of both.
        if tier.reasoning == nil, let raised = tier.output, let known = reasoning { reasoning = max(known, raised) }
        output = tier.output ?? output
        reasoning = tier.reasoning ?? reasoning
    }

    var price: ModelPrice? {
        guard let input, let output else { return nil }
        return ModelPrice(
            inputFresh: input, inputCacheRead: cacheRead, inputCacheWrite: cacheWrite, outputVisible: output, outputReasoning: reasoning)
    }
}

extension StringProtocol {
    /// Where `other` stands first. The standard library has none without Foundation's or a regular expression.
    fileprivate func firstRange(of other: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(other) { return start..<index(start, offsetBy: other.count) }
            start = index(after: start)
        }
        return nil
    }
}
