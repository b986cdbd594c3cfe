public import JSON

/// Prices by model id, of one version.
public struct PriceTable: Sendable {
    /// Names this table in every charge; the digest of its file.
    public let version: String
    private let models: [String: ModelPricing]

    public init(version: String = "", models: [String: ModelPricing] = [:]) {
        self.version = version
        self.models = models
    }

    /// Reads LiteLLM's price file as it is: `{model: {input_cost_per_token, output_cost_per_token, …}}`.
    ///
    /// Fields that are not needed are ignored. A model that lacks the input or the output price is unknown: it is refused
    /// under a money cap, and never taken for free. A price finer than one pico-USD is rounded up.
    ///
    /// - Throws: ``PriceTableError`` naming model and field.
    public init(liteLLM json: JSONValue, version: String) throws(PriceTableError) {
        guard let object = json.objectValue else { throw PriceTableError(model: "", field: "", rule: .notAnObject) }
        guard object.count <= AccountingLimits.priceModels else { throw PriceTableError(model: "", field: "", rule: .tooManyModels) }
        var models: [String: ModelPricing] = [:]
        // LiteLLM's own description of the format stands among the models.
        for member in object.members where member.key != "sample_spec" {
            guard let fields = member.value.objectValue else {
                throw PriceTableError(model: member.key, field: "", rule: .notAnObject)
            }
            if let pricing = try LiteLLMModel(name: member.key, fields: fields).pricing() { models[member.key] = pricing }
        }
        self.init(version: version, models: models)
    }

    /// Nil when the price is not known.
    public func pricing(for model: String) -> ModelPricing? { models[model] }

    public var modelNames: [String] { models.keys.sorted() }
}

public struct PriceTableError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Rule: Sendable, Hashable {
        case notAnObject
        case tooManyModels
        case notANumber
        /// Above one dollar a token: a price a million tokens was written as one a token.
        case tooHigh
        case amount(AmountError)
    }

    public let model: String
    public let field: String
    public let rule: Rule

    public var description: String {
        switch rule {
        case .notAnObject: "prices: \(model.isEmpty ? "the file" : model) must be a JSON object"
        case .tooManyModels: "prices: more than \(AccountingLimits.priceModels) models"
        case .notANumber, .amount(.notDecimal): "prices: \(model).\(field) must be a number"
        case .tooHigh, .amount(.tooLarge): "prices: \(model).\(field) is above 1 USD a token; prices are per token"
        case .amount: "prices: \(model).\(field) must not be negative"
        }
    }
}

/// One entry of LiteLLM's file.
private struct LiteLLMModel {
    let name: String
    let fields: JSONObject

    func pricing() throws(PriceTableError) -> ModelPricing? {
        guard let input = try price("input_cost_per_token"), let output = try price("output_cost_per_token") else { return nil }
        let base = ModelPrice(
            inputFresh: input, inputCacheRead: try price("cache_read_input_token_cost"),
            inputCacheWrite: try price("cache_creation_input_token_cost"), outputVisible: output,
            outputReasoning: try price("output_cost_per_reasoning_token"))
        var tiers: [ModelPricing.Tier] = []
        for threshold in thresholds() {
            let suffix = "_above_\(threshold)k_tokens"
            tiers.append(
                ModelPricing.Tier(
                    promptAbove: threshold * 1000,
                    price: ModelPrice(
                        inputFresh: try price("input_cost_per_token\(suffix)") ?? base.inputFresh,
                        inputCacheRead: try price("cache_read_input_token_cost\(suffix)") ?? base.inputCacheRead,
                        inputCacheWrite: try price("cache_creation_input_token_cost\(suffix)") ?? base.inputCacheWrite,
                        outputVisible: try price("output_cost_per_token\(suffix)") ?? base.outputVisible,
                        outputReasoning: try price("output_cost_per_token\(suffix)") ?? base.outputReasoning)))
        }
        return ModelPricing(base: base, tiers: tiers)
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

    private func price(_ field: String) throws(PriceTableError) -> PicoUSD? {
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
