/// Maximums that every durable store keeps, with their reasons.
public enum StoreLimits {
    /// Rows that a list returns at most: a page, not a dump.
    public static let page = 500
    /// Bytes of a user's text or an answer that are kept: more than any model's context.
    public static let turnBytes = 4 << 20
    /// Turns that are kept of one conversation; the oldest go first.
    public static let turnsPerConversation = 1_000
}
