/// A question: may this principal do this action to this resource, in this context?
public struct Request: Hashable, Sendable {
    /// Who asks.
    public let principal: EntityUID
    /// What it wants to do.
    public let action: EntityUID
    /// To what.
    public let resource: EntityUID
    /// What else is known.
    public let context: Value.Record

    /// A question.
    public init(principal: EntityUID, action: EntityUID, resource: EntityUID, context: Value.Record = .empty) {
        self.principal = principal
        self.action = action
        self.resource = resource
        self.context = context
    }

    /// Reads a question from JSON: `{"principal", "action", "resource", "context"?}`; other keys are not looked at.
    ///
    /// - Parameter hints: A schema's answers; with them values of the context may be written without escapes.
    /// - Throws: `DataError` for malformed JSON, a part that is missing, or a value that is none.
    public init(parsing json: String, hints: (any TypeHints)? = nil) throws(DataError) {
        try self.init(try JSONReader.parse(json), hints, path: "")
    }

    init(_ tree: JSONTree, _ hints: (any TypeHints)?, path: String) throws(DataError) {
        func uid(_ key: ExactString) throws(DataError) -> EntityUID {
            guard let part = tree[key] else { throw DataError("a request needs `\(key)`", path: path) }
            return try ValueReader.reference(part, path: key.string)
        }
        let action = try uid("action")
        self.init(
            principal: try uid("principal"), action: action, resource: try uid("resource"),
            context: try tree["context"].map { tree throws(DataError) in
                try Self.context(tree, hints?.contextHints(of: action) ?? [:])
            } ?? .empty)
    }

    /// Reads a context from JSON: an object.
    ///
    /// - Throws: `DataError` for malformed JSON, anything but an object, or a value that is none.
    public static func context(parsing json: String, hints: [ExactString: TypeHint] = [:]) throws(DataError) -> Value.Record {
        try context(try JSONReader.parse(json), hints)
    }

    private static func context(_ tree: JSONTree, _ hints: [ExactString: TypeHint]) throws(DataError) -> Value.Record {
        guard case .object(let members) = tree else { throw DataError("a context is an object, not \(tree.spoken)", path: "context") }
        guard try ValueReader.escape(tree, path: "context") == nil else { throw DataError("a context is a record", path: "context") }
        return try ValueReader.record(members, hints, path: "context")
    }
}

extension EntityUID {
    /// Reads an identity as a policy writes it, without blank space: `Shop::Order::"17"`.
    ///
    /// - Throws: `DataError` for anything else.
    public init(parsing text: String) throws(DataError) {
        let complaint = DataError("\(Escape.quoted(ExactString(text))) is not an entity; it is written like `Shop::Order::\"17\"`")
        let bytes = Array(text.utf8)
        guard let quote = bytes.firstIndex(of: UInt8(ascii: "\"")), quote >= 2, bytes[..<quote].suffix(2).elementsEqual("::".utf8),
            let type = TypeName(String(decoding: bytes[..<(quote - 2)], as: UTF8.self))
        else { throw complaint }
        do {
            var reader = try TokenReader(String(decoding: bytes[quote...], as: UTF8.self))
            let id = try reader.string("as the id")
            guard reader.lastEnd.offset == Int32(bytes.count - quote) else { throw complaint }
            self.init(type: type, id: id)
        } catch {
            throw complaint
        }
    }
}
