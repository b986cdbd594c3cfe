/// Every bound of the policies, and where its number comes from.
public enum PolicyLimits {
    /// Files of one set: a file for each tool of the largest catalog.
    public static let filesMax = 256
    /// Bytes of one file; Cedar's own limit of a text.
    public static let fileBytesMax = 1 << 20
    /// Bytes of all files; some ten thousand rules as people write them.
    public static let bytesMax = 4 << 20
    /// Rules of one set: what a person can still oversee. A decision looks only at those whose scopes may fit.
    public static let rulesMax = 2_000
    /// Tests of one set: one that allows and one that does not for each rule at half of the largest set.
    public static let testsMax = 2_000
    /// A rule's name: it stands in each record of its decisions.
    public static let ruleIDBytesMax = 128
    /// What a forbid tells the model: a paragraph.
    public static let messageBytesMax = 1_024
    /// The text of `@approval` or `@limit`.
    public static let obligationBytesMax = 1_024
    /// Approvers of one rule.
    public static let approversMax = 32
    /// Limits of one rule. Each is a row that a call locks.
    public static let limitsPerRule = 8
    /// Keys of one limit.
    public static let limitKeysMax = 4
    /// Different people that a call may need.
    public static let quorumMax = 10
    public static let approvalTimeoutDefault = Duration.seconds(30 * 60)
    /// Shorter than that nobody can read the question.
    public static let approvalTimeoutMin = Duration.seconds(10)
    public static let approvalTimeoutMax = Duration.seconds(24 * 60 * 60)
    /// Findings of one load or check: an author mends some and tries again.
    public static let findingsMax = 500
    /// A name of a role, a user, a session in a question. Longer than what the Server lets in.
    static let nameBytesMax = 512
    /// A value in an explanation, and a clause.
    static let shownBytesMax = 512
    /// Values shown for one clause.
    static let shownValuesMax = 16
}
