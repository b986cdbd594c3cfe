/// Policies and templates that decide together.
public struct PolicySet: Sendable {
    /// They in the order of the text; templates are among them.
    public let policies: [Policy]

    /// Reads a text of any number of policies; an empty text is an empty set.
    ///
    /// - Throws: `ParseError` with the first fault; nothing of the text is used then.
    public init(parsing text: String) throws(ParseError) {
        policies = try PolicyParser.parse(text)
    }
}
