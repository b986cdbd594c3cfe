/// Where in a schema something stands.
public enum SchemaPlace: Hashable, Sendable, CustomStringConvertible {
    /// A line and a column of the text form, both from 1.
    case position(line: Int, column: Int)
    /// The names that lead to a value of the JSON form, or of a `SchemaBuilder`.
    case path([String])

    /// "line 2, column 6", or the names with `>` between them.
    public var description: String {
        switch self {
        case .position(let line, let column): "line \(line), column \(column)"
        case .path(let names): names.isEmpty ? "the schema" : names.joined(separator: " > ")
        }
    }
}

/// Why a schema is refused: one sentence for its author, and the place it is about.
public struct SchemaError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where.
    public let place: SchemaPlace
    /// What is wrong.
    public let message: String

    /// A fault at a place.
    public init(_ place: SchemaPlace, _ message: String) {
        self.place = place
        self.message = message
    }

    /// The place and the sentence.
    public var description: String { "\(place): \(message)" }
}
