internal import Accounting
internal import AsyncHTTPClient
internal import Engine
internal import EngineProviders
internal import Foundation
internal import JSON
internal import NIOCore

/// The models of the configuration, with their providers and prices. Immutable.
struct ConfiguredModels: ModelCatalog {
    struct Entry: Sendable {
        let model: Configuration.Model
        let provider: any ModelProvider
        let origin: ModelOrigin
    }

    /// In the order of the configuration; the first is the default.
    let entries: [Entry]

    init(_ models: [Configuration.Model], client: HTTPClient) {
        entries = models.map { model in
            Entry(model: model, provider: Self.provider(model, client: client), origin: ModelOrigin(model))
        }
    }

    func provider(for model: String) -> (any ModelProvider)? { entry(model)?.provider }

    func metering(for model: String) -> ModelMetering { entry(model)?.model.metering ?? ModelMetering() }

    func retries(for model: String) -> RetryPolicy { entry(model)?.model.retry ?? RetryPolicy() }

    func origin(of model: String) -> ModelOrigin? { entry(model)?.origin }

    func entry(_ id: String) -> Entry? { entries.first { $0.model.id == id } }

    private static func provider(_ model: Configuration.Model, client: HTTPClient) -> any ModelProvider {
        switch model.provider {
        case .scripted: return ScriptedProvider()
        case .openai:
            var configuration = OpenAIProvider.Configuration(
                baseURL: model.baseURL, apiKey: model.apiKey.isEmpty ? nil : model.apiKey,
                upstreamModel: model.upstreamModel.isEmpty ? model.id : model.upstreamModel)
            // Trap 10 of metering.md §9: a reasoning model's hidden tokens are not under `max_tokens`.
            let isHidden = model.metering.reasoning == .hidden
            let limit = model.outputLimit ?? (isHidden ? .maxCompletionTokens : .maxTokens)
            configuration.outputLimit = limit == .maxTokens ? .maxTokens : .maxCompletionTokens
            configuration.isStreamed = model.upstreamStreams
            configuration.promptOverhead = model.promptOverhead
            configuration.timeouts = model.timeouts
            return OpenAIProvider(client: client, configuration: configuration)
        case .anthropic:
            var configuration = AnthropicProvider.Configuration(
                baseURL: model.baseURL, apiKey: model.apiKey.isEmpty ? nil : model.apiKey,
                upstreamModel: model.upstreamModel.isEmpty ? model.id : model.upstreamModel)
            configuration.outputTokensMax = model.maxOutputTokens == 0 ? nil : model.maxOutputTokens
            configuration.isStreamed = model.upstreamStreams
            configuration.promptOverhead = model.promptOverhead
            configuration.timeouts = model.timeouts
            return AnthropicProvider(client: client, configuration: configuration)
        }
    }
}

extension Configuration.Model {
    fileprivate var timeouts: UpstreamTimeouts {
        var timeouts = UpstreamTimeouts()
        (timeouts.firstByte, timeouts.idle, timeouts.call) = (firstByteTimeout, idleTimeout, callTimeout)
        return timeouts
    }
}

extension ConfiguredModels.Entry {
    /// As `GET /v1/models` lists it; prices for a million tokens as decimal strings.
    func json(_ pricing: ModelPricing?) -> JSONValue {
        var object = JSONObject([
            ("id", .string(model.id)), ("object", "model"), ("created", 0), ("owned_by", .string(model.provider.rawValue)),
            // The same in Anthropic's words.
            ("type", "model"), ("display_name", .string(model.id)), ("lifecycle", "active"), ("created_at", "1970-01-01T00:00:00Z"),
        ])
        let metering = model.metering
        let reasons = metering.standingReasons
        object["x_metering"] = [
            "mode": .string((reasons.isEmpty ? metering.configured ?? .stream : .reserve).rawValue),
            "forced_by": .array(reasons.map { .string($0.rawValue) }),
        ]
        if let price = pricing?.base {
            object["x_price"] = [
                "input_per_million": .string(price.inputFresh.perMillion),
                "output_per_million": .string(price.outputVisible.perMillion),
            ]
        }
        return .object(object)
    }
}

extension ModelOrigin {
    fileprivate init(_ model: Configuration.Model) {
        let url = URL(string: model.baseURL)
        self.init(
            provider: model.provider == .scripted ? "kdcube.scripted" : model.provider.rawValue,
            model: model.upstreamModel.isEmpty ? model.id : model.upstreamModel, host: url?.host(),
            port: url.flatMap { $0.host() == nil ? nil : $0.port ?? ($0.scheme == "https" ? 443 : 80) })
    }
}
