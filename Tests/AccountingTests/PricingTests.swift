import JSON
import Testing

@testable import Accounting

/// Pricing against arithmetic of twice the width (metering.md §5; complaints 4, 31, 32 of §2).
@Suite("Pricing")
struct PricingTests {
    private static func price(_ random: inout SplitMix) -> ModelPrice {
        func pico() -> PicoUSD { PicoUSD(Int64.random(in: 0...50_000_000, using: &random)) }
        return ModelPrice(
            inputFresh: pico(), inputCacheRead: pico(), inputCacheWrite: pico(), outputVisible: pico(), outputReasoning: pico())
    }

    private static func pricing(_ random: inout SplitMix) -> ModelPricing {
        let tiers = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            ModelPricing.Tier(promptAbove: Int64.random(in: 1...400_000, using: &random), price: price(&random))
        }
        return ModelPricing(base: price(&random), tiers: tiers)
    }

    private static func usage(prompt: Int64, output: Int64, _ random: inout SplitMix) -> UsageClasses {
        let read = Int64.random(in: 0...prompt, using: &random)
        let write = Int64.random(in: 0...(prompt - read), using: &random)
        let reasoning = Int64.random(in: 0...output, using: &random)
        return UsageClasses(
            inputFresh: prompt - read - write, inputCacheRead: read, inputCacheWrite: write, outputVisible: output - reasoning,
            outputReasoning: reasoning)
    }

    @Test("the cost is the sum over disjoint classes, exact to the pico-dollar (complaint 31)", arguments: UInt64(1)...200)
    func exactCost(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let price = Self.price(&random)
        let usage = Self.usage(
            prompt: Int64.random(in: 0...2_000_000, using: &random), output: Int64.random(in: 0...200_000, using: &random), &random)
        let pairs: [(PicoUSD, Int64)] = [
            (price.inputFresh, usage.inputFresh), (price.inputCacheRead, usage.inputCacheRead),
            (price.inputCacheWrite, usage.inputCacheWrite), (price.outputVisible, usage.outputVisible),
            (price.outputReasoning, usage.outputReasoning),
        ]
        let exact = pairs.reduce(Int128(0)) { $0 + Int128($1.0.rawValue) * Int128($1.1) }
        #expect(Int128(try price.cost(usage).rawValue) == exact, "seed \(seed)")
        #expect(Int128(try price.cost(usage).nanoRoundedUp.rawValue) == (exact + 999) / 1_000, "seed \(seed)")
    }

    @Test(
        "what is held before a call covers every tier and class that the call can turn out to have (complaint 4)",
        arguments: UInt64(1)...300)
    func worstCase(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let pricing = Self.pricing(&random)
        let bound = Int64.random(in: 0...500_000, using: &random)
        let output = Int64.random(in: 0...20_000, using: &random)
        let run = RunCost(pricing: pricing, prompt: .atMost(bound))
        let held = run.worst(moreOutput: output)
        for _ in 0..<20 {
            let usage = Self.usage(
                prompt: Int64.random(in: 0...bound, using: &random), output: Int64.random(in: 0...output, using: &random), &random)
            let charged = run.final(.exact(usage)).cost
            #expect(charged <= held, "seed \(seed): \(usage) costs \(charged.rawValue), held \(held.rawValue)")
            #expect(
                Int128(charged.rawValue) == (Int128(try pricing.price(promptTokens: usage.input).cost(usage).rawValue) + 999) / 1_000)
        }
    }

    @Test("a concurrent crowd of long prompts is held at the long prompts' price (complaint 4)")
    func longPrompts() throws {
        let table = try PriceTable(
            liteLLM: JSONValue(
                parsing: """
                    {"m": {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
                           "input_cost_per_token_above_200k_tokens": 2.5e-06, "output_cost_per_token_above_200k_tokens": 1.5e-05}}
                    """), version: "v")
        let pricing = try #require(table.pricing(for: "m"))
        #expect(RunCost(pricing: pricing, prompt: .atMost(300_000)).fixed.nanoUSD == 750_000_000)
        #expect(RunCost(pricing: pricing, prompt: .exact(200_000)).fixed.nanoUSD == 250_000_000)
    }

    private static func pricing(_ entry: String) throws -> ModelPricing? {
        try PriceTable(liteLLM: JSONValue(parsing: #"{"m": \#(entry)}"#), version: "v").pricing(for: "m")
    }

    @Test("a class without a price of its own follows the class it would else be counted in, in every tier")
    func fallbacks() throws {
        let plain = try #require(
            try Self.pricing(
                #"{"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_token_above_128k_tokens": 3e-6, "output_cost_per_token_above_128k_tokens": 4e-6}"#
            ))
        let tier = plain.price(promptTokens: 128_001)
        #expect(tier.inputCacheRead == PicoUSD(3_000_000) && tier.inputCacheWrite == PicoUSD(3_000_000))
        #expect(tier.outputReasoning == PicoUSD(4_000_000))
        let stacked = try #require(
            try Self.pricing(
                """
                {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "output_cost_per_reasoning_token": 3e-6,
                 "cache_read_input_token_cost": 1e-7, "input_cost_per_token_above_128k_tokens": 2e-6,
                 "cache_read_input_token_cost_above_128k_tokens": 2e-7, "output_cost_per_token_above_272k_tokens": 5e-6}
                """))
        #expect(stacked.tiers.map(\.promptAbove) == [128_000, 272_000])
        let top = stacked.price(promptTokens: 272_001)
        #expect(top.inputFresh == PicoUSD(2_000_000), "a tier keeps what the tier below it changed")
        #expect(top.inputCacheRead == PicoUSD(200_000))
        #expect(top.outputVisible == PicoUSD(5_000_000) && top.outputReasoning == PicoUSD(5_000_000))
        #expect(stacked.price(promptTokens: 272_000).outputReasoning == PicoUSD(3_000_000))
    }

    @Test("tiered_pricing by ranges is read; ranges of anything else are no price")
    func ranges() throws {
        let pricing = try #require(
            try Self.pricing(
                """
                {"tiered_pricing": [{"range": [0, 128000.0], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
                                    {"range": [128e3, 1e6], "input_cost_per_token": 2e-6, "output_cost_per_token": 3e-6}]}
                """))
        #expect(pricing.price(promptTokens: 128_000).inputFresh == PicoUSD(1_000_000))
        #expect(pricing.price(promptTokens: 128_001).inputFresh == PicoUSD(2_000_000))
        #expect(pricing.price(promptTokens: 5_000_000).outputVisible == PicoUSD(3_000_000))
        for bad in [
            #"[{"max_results_range": [0, 25], "input_cost_per_query": 0.005}]"#,
            #"[{"range": [10, 100], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}]"#,
            #"[{"range": [0, 100], "input_cost_per_token": 1e-6}]"#, "[]", "7",
            #"[{"range": [0, 100], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}, {"range": [50, 200], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}]"#,
        ] {
            let entry = #"{"input_cost_per_token": 1e-9, "output_cost_per_token": 1e-9, "tiered_pricing": \#(bad)}"#
            #expect(try Self.pricing(entry) == nil, "\(bad): not understood is unknown, never the base price")
        }
    }

    @Test("a price file's review names what has no price, what is free and what is not charged for (complaint 32)")
    func review() throws {
        let text = """
            {"a": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_request": 0.01, "cost_per_query": 1},
             "b": {"input_cost_per_token": 0, "output_cost_per_token": 0, "input_cost_per_image": 0},
             "c": {"mode": "image_generation", "output_cost_per_image": 0.04},
             "d": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_token_above_200k_tokens": 2e-6}}
            """
        let review = try PriceFileReview(liteLLM: JSONValue(parsing: text), version: "v")
        #expect(review.unpriced == ["c"] && review.free == ["b"] && review.tiered == ["d"])
        #expect(review.uncharged.map(\.field) == ["cost_per_query", "input_cost_per_request"])
        #expect(throws: PriceTableError(model: "m", field: "input_cost_per_token", rule: .tooHigh)) {
            try PriceFileReview(
                liteLLM: JSONValue(parsing: #"{"m": {"input_cost_per_token": 2.5, "output_cost_per_token": 10}}"#), version: "")
        }
    }
}
