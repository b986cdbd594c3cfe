/// Which models there are. The Server builds it from its configuration.
public protocol ModelCatalog: Sendable {
    /// The provider of a configured model; nil for an unknown one.
    func provider(for model: String) -> (any ModelProvider)?
}
