/// A place in a source text.
public struct SourcePosition: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Bytes of UTF-8 before it.
    public let offset: Int32
    /// The line, from 1. A line ends with a line feed.
    public let line: Int32
    /// The column, from 1, counted in Unicode scalars.
    public let column: Int32

    /// The first place of every text.
    public static let start = SourcePosition(offset: 0, line: 1, column: 1)

    /// A place; the caller vouches that the three agree.
    public init(offset: Int32, line: Int32, column: Int32) {
        self.offset = offset
        self.line = line
        self.column = column
    }

    public static func < (left: SourcePosition, right: SourcePosition) -> Bool { left.offset < right.offset }

    /// "line 3, column 12".
    public var description: String { "line \(line), column \(column)" }
}

/// A stretch of a source text, without its end.
public struct SourceRange: Hashable, Sendable {
    /// Where it begins.
    public let start: SourcePosition
    /// Where it ends: the place after its last byte.
    public let end: SourcePosition

    /// A stretch from `start` up to `end`.
    public init(start: SourcePosition, end: SourcePosition) {
        self.start = start
        self.end = end
    }
}
