/// Which models there are. The Server builds it from its configuration.
public protocol ModelCatalog: Sendable {
    /// The provider of a configured model; nil for an unknown one.
    func provider(for model: String) -> (any ModelProvider)?
    /// How the model is billed.
    func metering(for model: String) -> ModelMetering
    /// What is done when its upstream fails.
    func retries(for model: String) -> RetryPolicy
    /// Where its answers come from, for traces; nil where nobody knows.
    func origin(of model: String) -> ModelOrigin?
}

/// Where a model's answers come from.
public struct ModelOrigin: Sendable, Hashable {
    /// As OpenTelemetry's `gen_ai.provider.name` has it: `openai`, `anthropic`; a name of our own for what it does not know.
    public let provider: String
    /// The model's name there.
    public let model: String
    /// Nil for what answers in this process.
    public let host: String?
    public let port: Int?

    public init(provider: String, model: String, host: String? = nil, port: Int? = nil) {
        self.provider = provider
        self.model = model
        self.host = host
        self.port = port
    }
}

extension ModelCatalog {
    public func metering(for model: String) -> ModelMetering { ModelMetering() }
    public func retries(for model: String) -> RetryPolicy { RetryPolicy() }
    public func origin(of model: String) -> ModelOrigin? { nil }
}
