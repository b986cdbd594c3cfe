extension JSONValue {
    /// A value as JSON, by what its type's `encode(to:)` writes. ``decoded(as:depth:)`` reads it again.
    ///
    /// - An integer beyond `Int64` keeps all its digits as ``number(_:)``. ECMAScript reads integers beyond 2^53 as their closest double.
    /// - `[UInt8]`, and a type that writes a row of `UInt8` at once such as Foundation's `Data`, becomes ``bytes(_:)``.
    /// - An optional property that is nil is left out; an element that is nil is null. A type that writes nothing is an empty object.
    ///
    /// - Parameter depth: how deep values may nest. Four times as many layers of types are allowed; what refers to itself has more.
    /// - Throws: ``JSONCodingError``, for instance for a number that is not finite.
    public init(encoding value: some Encodable, depth: Int = JSONLimits().depth) throws(JSONCodingError) {
        do {
            self = try ValueEncoder(.root, steps: 4 * depth).json(of: value)
        } catch {
            throw JSONCodingError(error, at: .root)
        }
    }
}

/// What one encoder has been given. A reference, because a container may be written to after its parent was. Confined to the call
/// that encodes.
final class EncodingNode {
    enum Part {
        case json(JSONValue)
        case node(EncodingNode)

        var json: JSONValue {
            switch self {
            case .json(let json): json
            case .node(let node): node.json
            }
        }
    }

    enum Content {
        case nothing
        case part(Part)
        case elements([Part])
        /// Elements that came as bytes, and nothing else did.
        case bytes([UInt8])
        case members([(key: String, part: Part)])
    }

    var content = Content.nothing

    var json: JSONValue {
        switch content {
        case .nothing: return .object(JSONObject())
        case .part(let part): return part.json
        case .elements(let parts): return .array(parts.map(\.json))
        case .bytes(let bytes): return .bytes(bytes)
        case .members(let members):
            var object = JSONObject()
            var keys = SeenKeys()
            for member in members {
                if keys.insert(member.key, into: object) {
                    object.appendUnchecked(member.key, member.part.json)
                } else {
                    object[member.key] = member.part.json
                }
            }
            return .object(object)
        }
    }

    var count: Int {
        switch content {
        case .elements(let parts): parts.count
        case .bytes(let bytes): bytes.count
        default: 0
        }
    }

    func append(_ part: Part) {
        var parts: [Part] = []
        switch content {
        case .elements(let own): parts = own
        case .bytes(let bytes): parts = bytes.map { .json(.integer(Int64($0))) }
        default: break
        }
        // Held by `parts` alone, so that the array grows in place.
        content = .nothing
        parts.append(part)
        content = .elements(parts)
    }

    func append(_ more: some Sequence<UInt8>) {
        switch content {
        case .bytes(var bytes):
            content = .nothing
            bytes.append(contentsOf: more)
            content = .bytes(bytes)
        case .elements(let parts) where !parts.isEmpty:
            for byte in more { append(.json(.integer(Int64(byte)))) }
        default:
            content = .bytes(Array(more))
        }
    }

    func set(_ key: String, _ part: Part) {
        guard case .members(var members) = content else {
            content = .members([(key, part)])
            return
        }
        content = .nothing
        members.append((key, part))
        content = .members(members)
    }
}

/// Writes one value into a node.
struct ValueEncoder: Encoder {
    let node = EncodingNode()
    let place: CodingPlace
    let steps: Int

    init(_ place: CodingPlace, steps: Int) {
        self.place = place
        self.steps = steps
    }

    var codingPath: [any CodingKey] { place.keys }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// What a value inside of this one is.
    func json(of value: some Encodable, at place: CodingPlace? = nil) throws -> JSONValue {
        let place = place ?? self.place
        func refusal(_ rule: JSONRule) -> EncodingError {
            let context = EncodingError.Context(codingPath: place.keys, debugDescription: rule.description, underlyingError: rule)
            return EncodingError.invalidValue(value, context)
        }
        if let leaf = value as? any JSONLeaf {
            do throws(JSONRule) { return try leaf.written() } catch { throw refusal(error) }
        }
        guard steps > 0 else { throw refusal(.shallow) }
        let encoder = ValueEncoder(place, steps: steps - 1)
        do {
            try value.encode(to: encoder)
        } catch let error as EncodingError {
            throw error
        } catch {
            throw JSONCodingError(error, at: place)
        }
        return encoder.node.json
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .members = node.content {} else { node.content = .members([]) }
        return KeyedEncodingContainer(KeyedEncoding<Key>(self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .bytes = node.content {} else if case .elements = node.content {} else { node.content = .elements([]) }
        return UnkeyedEncoding(self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension ValueEncoder: SingleValueEncodingContainer {
    func encodeNil() { node.content = .part(.json(.null)) }

    func encode<T: Encodable>(_ value: T) throws { node.content = .part(.json(try json(of: value))) }
}
