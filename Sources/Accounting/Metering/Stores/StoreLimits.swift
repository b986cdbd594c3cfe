/// Maximums that every durable store keeps, with their reasons.
public enum StoreLimits {
    /// Rows that a list returns at most: a page, not a dump.
    public static let page = 1_000
    /// Sums of a day, key, user and model that one report holds: a month of some hundred keys.
    public static let dayCharges = 10_000
    /// Bytes of a user's text or an answer that are kept: more than any model's context.
    public static let turnBytes = 4 << 20
    /// Turns that are kept of one conversation; the oldest go first.
    public static let turnsPerConversation = 1_000
    /// How long it is kept why a run was cut (ms): 90 days, as long as people dispute an invoice.
    public static let runEndRetention = Milliseconds(90 * 86_400_000)
    /// How long an order to cut is kept (ms): a day. A server that has not read it by then has been away longer than any run lives.
    public static let revocationRetention = Milliseconds(86_400_000)
    /// Model ids that a key may be limited to.
    public static let modelsPerKey = 100
    /// Bytes of a key's alias, and of its metadata as JSON.
    public static let keyAliasBytes = 256
    public static let keyMetadataBytes = 16 << 10
    /// Bytes of the name that people give an organisation, a project or a user: a line of text.
    public static let tenantNameBytes = 256
    /// Names that one report of spend tells apart: more is no table that anybody reads. What is cheaper is added up.
    public static let spendNames = 100
    /// Steps of one report of spend: eight days of hours. With ``spendNames`` this bounds its rows.
    public static let spendSteps = 192
}
