/// What an expression can be. There is no null and no floating point.
public enum Value: Hashable, Sendable {
    /// `true` or `false`.
    case bool(Bool)
    /// A 64-bit integer.
    case long(Int64)
    /// A string.
    case string(ExactString)
    /// A reference to an entity, which need not be in the store.
    case entity(EntityUID)
    /// A set: no order, nothing twice.
    case set(Elements)
    /// A record.
    case record(Record)
    /// A number with four decimal places.
    case decimal(Decimal)
    /// An address or a range of addresses.
    case ip(IPAddress)
    /// A moment.
    case datetime(Datetime)
    /// A stretch of time.
    case duration(Duration)

    /// The name of the kind, for messages.
    public var kindName: String {
        switch self {
        case .bool: "bool"
        case .long: "long"
        case .string: "string"
        case .entity(let uid): "entity of type `\(uid.type)`"
        case .set: "set"
        case .record: "record"
        case .decimal: "decimal"
        case .ip: "ipaddr"
        case .datetime: "datetime"
        case .duration: "duration"
        }
    }

    /// The levels of nesting: 0 for what holds no other value.
    var depth: Int {
        switch self {
        case .set(let elements): elements.depth
        case .record(let record): record.depth
        default: 0
        }
    }

    /// About how many values it is made of, for the cost of comparing it.
    var weight: Int {
        switch self {
        case .set(let elements): elements.weight
        case .record(let record): record.weight
        case .string(let text): 1 + text.utf8Count / 64
        default: 1
        }
    }
}

/// What values may be.
public enum ValueLimits {
    /// How deep sets and records may lie in each other: comparing and freeing them takes stack for each level. The deepest of
    /// the public corpus has 11.
    public static let depth = 100
}

extension Value {
    /// The elements of a set.
    public struct Elements: Sendable {
        private final class Storage: Sendable {
            let values: Set<Value>
            let depth: Int
            let weight: Int
            let strangerKind: String?

            init(_ values: Set<Value>) {
                self.values = values
                depth = 1 + (values.lazy.map(\.depth).max() ?? 0)
                weight = 1 + values.lazy.map(\.weight).reduce(0, +)
                strangerKind = values.lazy.filter { if case .entity = $0 { false } else { true } }.map(\.kindName).min()
            }
        }

        private let storage: Storage

        /// They, each once.
        public var values: Set<Value> { storage.values }
        var depth: Int { storage.depth }
        var weight: Int { storage.weight }
        /// The kind of one that is no entity, if there is any.
        var strangerKind: String? { storage.strangerKind }

        /// A set of `values`; what stands there twice counts once. Nil if it would be nested deeper than `ValueLimits.depth`.
        public init?(_ values: some Sequence<Value>) {
            storage = Storage(Set(values))
            if storage.depth > ValueLimits.depth { return nil }
        }
    }

    /// The attributes of a record.
    public struct Record: Sendable {
        private final class Storage: Sendable {
            let fields: [ExactString: Value]
            /// They once more where they are few: comparing so many names is faster than the hash of one.
            let few: [(name: ExactString, value: Value)]
            let depth: Int
            let weight: Int

            init(_ fields: [ExactString: Value]) {
                self.fields = fields
                few = fields.count <= 8 ? fields.map { ($0.key, $0.value) } : []
                depth = 1 + (fields.values.lazy.map(\.depth).max() ?? 0)
                weight = 1 + fields.values.lazy.map(\.weight).reduce(0, +)
            }
        }

        private let storage: Storage

        /// The values by their names.
        public var fields: [ExactString: Value] { storage.fields }
        var depth: Int { storage.depth }
        var weight: Int { storage.weight }

        /// A record of `fields`. Nil if it would be nested deeper than `ValueLimits.depth`.
        public init?(_ fields: [ExactString: Value]) {
            storage = Storage(fields)
            if storage.depth > ValueLimits.depth { return nil }
        }

        private init(_ storage: Storage) { self.storage = storage }

        /// The record without attributes.
        public static let empty = Record(Storage([:]))

        /// The value of an attribute; nil if there is none.
        public subscript(_ name: ExactString) -> Value? {
            if storage.few.isEmpty { return storage.fields[name] }
            for field in storage.few where field.name == name { return field.value }
            return nil
        }
    }
}

extension Value.Elements: Hashable {
    public static func == (left: Value.Elements, right: Value.Elements) -> Bool { left.values == right.values }
    public func hash(into hasher: inout Hasher) { hasher.combine(values) }
}

extension Value.Record: Hashable {
    public static func == (left: Value.Record, right: Value.Record) -> Bool { left.fields == right.fields }
    public func hash(into hasher: inout Hasher) { hasher.combine(fields) }
}
