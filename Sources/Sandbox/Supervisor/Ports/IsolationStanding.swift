/// How well sandboxes are shut in, and how well they have to be.
public struct IsolationStanding: Sendable, Hashable {
    /// `full`, `limited`, `basic` or `none`.
    public let level: String
    /// The least that the configuration asks for.
    public let minimum: String
    public let isEnough: Bool

    public init(level: String, minimum: String, isEnough: Bool) {
        self.level = level
        self.minimum = minimum
        self.isEnough = isEnough
    }
}
