/// Where in a schema something stands.
public enum SchemaPlace: Hashable, Sendable, CustomStringConvertible {
    /// A line and a column of the text form, both from 1.
    case position(line: Int, column: Int)
    /// The names that lead to a value of the JSON form, or of a ``SchemaBuilder``.
    case path([String])

    public var description: String {
        switch self {
        case .position(let line, let column): "line \(line), column \(column)"
        case .path(let names): names.isEmpty ? "the schema" : names.joined(separator: " > ")
        }
    }
}

/// Why a schema is refused: one sentence for its author, and the place it is about.
public struct SchemaError: Error, Hashable, Sendable, CustomStringConvertible {
    public let place: SchemaPlace
    public let message: String

    public init(_ place: SchemaPlace, _ message: String) {
        self.place = place
        self.message = message
    }

    public var description: String { "\(place): \(message)" }
}
