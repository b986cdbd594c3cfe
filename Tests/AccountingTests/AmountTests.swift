import JSON
import Testing

@testable import Accounting

@Suite("Money and prices")
struct AmountTests {
    @Test(
        "money text is read and printed exactly",
        arguments: [
            ("5.00", 5_000_000_000), ("0.000000001", 1), ("0.00", 0), ("9000000.00", 9_000_000_000_000_000), ("1.25", 1_250_000_000),
            ("0.0000175", 17_500),
        ])
    func roundTrip(text: String, nano: Int64) throws {
        #expect(try NanoUSD(decimal: text).rawValue == nano)
        #expect(NanoUSD(nano).decimalText == text)
    }

    @Test("whole dollars and missing decimals are read, two decimals are printed")
    func shortForms() throws {
        #expect(try NanoUSD(decimal: "5").decimalText == "5.00")
        #expect(try NanoUSD(decimal: "0.1").decimalText == "0.10")
        #expect(NanoUSD(-1_500_000_000).decimalText == "-1.50")
    }

    @Test(
        "money that is no plain amount is refused with its rule",
        arguments: [
            ("", AmountError.notDecimal), ("abc", .notDecimal), ("1e3", .notDecimal), ("+1", .notDecimal), (".5", .notDecimal),
            ("5.", .notDecimal),
            ("1.2.3", .notDecimal), ("-1", .negative), ("0.0000000001", .tooPrecise), ("1.0000000000", .tooPrecise),
            ("9000000.000000001", .tooLarge), ("99999999999999999999", .tooLarge), ("１", .notDecimal),
        ])
    func refused(text: String, error: AmountError) {
        #expect(throws: error) { try NanoUSD(decimal: text) }
    }

    @Test("random amounts survive text (seeded)")
    func property() throws {
        let seed: UInt64 = 20_261_123
        var random = SplitMix(seed: seed)
        for _ in 0..<2_000 {
            let nano = Int64.random(in: 0...AccountingLimits.amountMax, using: &random)
            #expect(try NanoUSD(decimal: NanoUSD(nano).decimalText).rawValue == nano, "seed \(seed)")
        }
    }

    @Test("commits add up to the total rounded up once, whatever the steps (complaint 6: money as floats; seeded)")
    func carriedRemainder() throws {
        let seed: UInt64 = 7
        var random = SplitMix(seed: seed)
        for _ in 0..<200 {
            var cost = RoundedCost()
            var committed: Int64 = 0
            var total: Int64 = 0
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                let pico = Int64.random(in: 0...5_000, using: &random)
                total += pico
                try cost.add(PicoUSD(pico))
                committed += cost.commit().rawValue
            }
            #expect(committed == (total + 999) / 1000, "seed \(seed)")
        }
    }

    @Test("checked sums refuse to overflow")
    func overflow() {
        #expect(throws: AmountError.tooLarge) { try NanoUSD(.max).adding(NanoUSD(1)) }
        #expect(throws: AmountError.tooLarge) { try PicoUSD(.max).times(2) }
    }

    @Test(
        "a price is pico-USD from decimal text with and without exponent",
        arguments: [
            ("1.5e-06", 1_500_000), ("0.0000015", 1_500_000), ("2.5E-9", 2_500), ("1e-12", 1), ("1.25e-06", 1_250_000), ("0", 0),
            ("0.0", 0),
            ("1e-13", 1), ("1.5e-12", 2), ("1.0000000000000001e-06", 1_000_001), ("1", 1_000_000_000_000), ("15e-7", 1_500_000),
        ])
    func prices(text: String, pico: Int64) throws {
        #expect(try DecimalText.scaled(text, places: 12, rounding: .up) == pico)
    }

    @Test("LiteLLM's file is read as it is: unknown fields and models without prices are left aside")
    func liteLLM() throws {
        let text = """
            {"sample_spec": {"input_cost_per_token": "none"},
             "gpt": {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-07,
                     "litellm_provider": "openai", "mode": "chat", "supports_vision": true, "max_output_tokens": 128000},
             "long": {"input_cost_per_token": 0.000003, "output_cost_per_token": "0.000015", "output_cost_per_reasoning_token": 2e-5,
                      "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05},
             "image": {"input_cost_per_image": 0.02}, "local": {"input_cost_per_token": 0.0, "output_cost_per_token": 0}}
            """
        let prices = try PriceTable(liteLLM: JSONValue(parsing: text), version: "v7")
        #expect(prices.version == "v7")
        #expect(prices.modelNames == ["gpt", "local", "long"])
        let gpt = try #require(prices.pricing(for: "gpt")).base
        #expect(gpt.inputFresh == PicoUSD(1_250_000))
        #expect(gpt.inputCacheRead == PicoUSD(125_000))
        #expect(gpt.inputCacheWrite == gpt.inputFresh)
        #expect(gpt.outputReasoning == PicoUSD(10_000_000))
        let long = try #require(prices.pricing(for: "long"))
        #expect(long.price(promptTokens: 200_000).inputFresh == PicoUSD(3_000_000))
        #expect(long.price(promptTokens: 200_001).inputFresh == PicoUSD(6_000_000))
        #expect(long.price(promptTokens: 200_001).outputVisible == PicoUSD(22_500_000))
        #expect(long.base.outputWorst == PicoUSD(20_000_000))
        #expect(try #require(prices.pricing(for: "local")).isFree)
        #expect(prices.pricing(for: "image") == nil)
    }

    @Test(
        "a price that cannot be meant is refused by model and field",
        arguments: [
            (#"{"m":{"input_cost_per_token":2.5,"output_cost_per_token":1}}"#, "input_cost_per_token", PriceTableError.Rule.tooHigh),
            (#"{"m":{"input_cost_per_token":1e-6,"output_cost_per_token":-1}}"#, "output_cost_per_token", .amount(.negative)),
            (#"{"m":{"input_cost_per_token":true,"output_cost_per_token":1}}"#, "input_cost_per_token", .notANumber),
            (#"{"m":{"input_cost_per_token":"cheap","output_cost_per_token":1}}"#, "input_cost_per_token", .amount(.notDecimal)),
            (#"{"m":1}"#, "", .notAnObject),
        ])
    func badPrices(text: String, field: String, rule: PriceTableError.Rule) throws {
        let json = try JSONValue(parsing: text)
        let error = #expect(throws: PriceTableError.self) { try PriceTable(liteLLM: json, version: "") }
        #expect(error == PriceTableError(model: "m", field: field, rule: rule))
    }

    @Test("each class of tokens has its price, and is counted once")
    func cost() throws {
        let price = ModelPrice(
            inputFresh: PicoUSD(1), inputCacheRead: PicoUSD(10), inputCacheWrite: PicoUSD(100), outputVisible: PicoUSD(1_000),
            outputReasoning: PicoUSD(10_000))
        let usage = UsageClasses(inputFresh: 1, inputCacheRead: 2, inputCacheWrite: 3, outputVisible: 4, outputReasoning: 5)
        #expect(try price.cost(usage) == PicoUSD(54_321))
        #expect(try price.cost(usage).nanoRoundedUp == NanoUSD(55))
        #expect(usage.total == 15)
    }
}
