/// The name of an entity type or of anything else with a namespace: identifiers between double colons.
public struct TypeName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The whole name, for example `Shop::Order`.
    public let text: ExactString

    /// A name of valid components; the caller vouches for them.
    init(components: [ExactString]) {
        text = components.count == 1 ? components[0] : ExactString(components.map(\.string).joined(separator: "::"))
    }

    private init(unchecked text: ExactString) { self.text = text }

    /// Reads a name in its normal form: identifiers and `::` without blank space, no reserved word, no `__cedar`.
    public init?(_ text: String) {
        guard Self.isNormal(text.utf8) else { return nil }
        self.init(unchecked: ExactString(text))
    }

    /// Its identifiers in order; never empty.
    public var components: [ExactString] {
        let bytes = Array(text.string.utf8)
        return bytes.split(separator: UInt8(ascii: ":")).map { ExactString(utf8: $0) }
    }

    /// The last identifier.
    public var basename: ExactString { components.last ?? text }

    /// What stands before the last identifier; nil if it is the only one.
    public var namespace: TypeName? {
        let parts = components
        return parts.count > 1 ? TypeName(components: Array(parts.dropLast())) : nil
    }

    /// Whether entities of this type are actions: the last identifier is `Action`.
    public var isAction: Bool { text == "Action" || text.string.utf8.suffix(8).elementsEqual("::Action".utf8) }

    public static func < (left: TypeName, right: TypeName) -> Bool { left.text < right.text }
    public var description: String { text.string }

    private static func isNormal(_ bytes: String.UTF8View) -> Bool {
        var rest = Array(bytes)[...]
        while true {
            let word = rest.prefix(while: Lexer.continuesIdentifier)
            guard let first = word.first, Lexer.startsIdentifier(first), !ReservedWord.contains(ExactString(utf8: word)) else {
                return false
            }
            rest = rest.dropFirst(word.count)
            if rest.isEmpty { return true }
            guard rest.prefix(2).elementsEqual("::".utf8) else { return false }
            rest = rest.dropFirst(2)
        }
    }
}

/// The words that are never an identifier in a name or an attribute.
enum ReservedWord {
    private static let all: Set<ExactString> = ["true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"]
    static func contains(_ word: ExactString) -> Bool { all.contains(word) }
}

/// The identity of an entity: its type and its id.
///
/// One reference, with its hash computed once: a decision compares and looks up identities more than anything else.
public struct EntityUID: Sendable, Comparable, CustomStringConvertible {
    private final class Storage: Sendable {
        let type: TypeName
        let id: ExactString
        let hash: Int

        init(type: TypeName, id: ExactString) {
            self.type = type
            self.id = id
            var hasher = Hasher()
            hasher.combine(type)
            hasher.combine(id)
            hash = hasher.finalize()
        }
    }

    private let storage: Storage

    /// The type.
    public var type: TypeName { storage.type }
    /// The id; it may be empty and hold any scalar.
    public var id: ExactString { storage.id }

    /// The identity of `id` in `type`.
    public init(type: TypeName, id: ExactString) { storage = Storage(type: type, id: id) }

    public static func < (left: EntityUID, right: EntityUID) -> Bool { (left.type, left.id) < (right.type, right.id) }

    /// As a policy writes it: `Shop::Order::"17"`.
    public var description: String { "\(type)::\(Escape.quoted(id))" }
}

extension EntityUID: Hashable {
    public static func == (left: EntityUID, right: EntityUID) -> Bool {
        if left.storage === right.storage { return true }
        return left.storage.hash == right.storage.hash && left.id == right.id && left.type == right.type
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(storage.hash) }
}
