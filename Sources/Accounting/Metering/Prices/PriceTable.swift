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
            models[member.key] = try LiteLLMPrice(name: member.key, fields: fields).pricing()
        }
        self.init(version: version, models: models)
    }

    /// Nil when the price is not known.
    public func pricing(for model: String) -> ModelPricing? { models[model] }

    public var modelNames: [String] { models.keys.sorted() }

    public var count: Int { models.count }

    /// The same prices and version with more names for models that have none yet.
    public func adding(_ more: [String: ModelPricing], version: String? = nil) -> PriceTable {
        PriceTable(version: version ?? self.version, models: models.merging(more) { known, _ in known })
    }
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
