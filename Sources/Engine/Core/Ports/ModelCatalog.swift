/// Which models there are. The Server builds it from its configuration.
public protocol ModelCatalog: Sendable {
    /// The provider of a configured model; nil for an unknown one.
    func provider(for model: String) -> (any ModelProvider)?
    /// How the model is billed.
    func metering(for model: String) -> ModelMetering
    /// What is done when its upstream fails.
    func retries(for model: String) -> RetryPolicy
}

extension ModelCatalog {
    public func metering(for model: String) -> ModelMetering { ModelMetering() }
    public func retries(for model: String) -> RetryPolicy { RetryPolicy() }
}
