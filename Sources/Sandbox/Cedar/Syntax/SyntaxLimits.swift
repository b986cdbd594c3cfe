/// What a source text may hold.
public enum SyntaxLimits {
    /// Bytes of one text. A rule of a hundred lines has 4 KB, and a thousand ordinary rules have 300. The worst text of this size
    /// takes about two seconds and 200 MB to read and make ready.
    public static let sourceBytes = 1 << 20
    /// How deep an expression may be: the levels of its tree, and the open brackets while it is read. The deepest of the public
    /// corpus has 11.
    public static let depth = 1_000
    /// Keys of one written record: more would make the search for a key that stands twice slow.
    public static let recordKeys = 1_000
    /// Attributes in one `has a.b.c`.
    public static let hasPath = 64
}
