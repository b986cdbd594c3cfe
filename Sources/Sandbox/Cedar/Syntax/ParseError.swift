/// Why a policy or schema text was refused: the first fault, in a sentence for its author.
public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, and where it helps, what to write instead.
    public let message: String
    /// Where.
    public let range: SourceRange

    /// A fault at a place.
    public init(_ message: String, at range: SourceRange) {
        self.message = message
        self.range = range
    }

    /// "line 3, column 12: …".
    public var description: String { "\(range.start): \(message)" }
}
