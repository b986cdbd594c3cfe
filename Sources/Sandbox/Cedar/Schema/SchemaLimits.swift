/// What a schema may hold at most. Reaching a limit is a `SchemaError` that names it. The length of its text is limited by
/// `SyntaxLimits.sourceBytes`.
public enum SchemaLimits {
    /// Levels of sets and records inside each other, counted through common types. People write five; the
    /// checker walks types recursively, and 200 levels stay far from the end of the smallest thread's stack.
    public static let typeDepth = 200

    /// Nodes of one type after every common type is written out. Twenty common types that each use the one before
    /// twice would stand for a million; a generated tool catalog needs some thousands.
    public static let typeNodes = 100_000
}
