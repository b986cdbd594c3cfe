/// What a source text may hold.
public enum SyntaxLimits {
    /// Bytes of one text. A rule of a hundred lines has 4 KB, so this is a set of a thousand such rules.
    public static let sourceBytes = 4 << 20
    /// How deep an expression may be: the levels of its tree, and the open brackets while it is read. The deepest of the public
    /// corpus has 11.
    public static let depth = 1_000
    /// Keys of one written record: more would make the search for a key that stands twice slow.
    public static let recordKeys = 1_000
    /// Attributes in one `has a.b.c`.
    public static let hasPath = 64
}
