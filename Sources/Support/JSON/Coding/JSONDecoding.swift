extension JSONValue {
    /// This value as a `T`, by what the type's `init(from:)` asks for.
    ///
    /// - Integers are exact: `1.0` and `1e3` are whole numbers, and what does not fit is refused. A `Double` or `Float` is the closest one.
    /// - `[UInt8]`, and a type that reads a row of `UInt8` such as Foundation's `Data`, is ``bytes(_:)`` or an array of such numbers.
    /// - A `JSONValue` is itself. A key without a property is left alone. Null is the absence of an optional, as a missing key is.
    /// - There is no rule for points in time: Foundation's `Date` reads its own form, seconds since 2001.
    ///
    /// - Parameter depth: how deep values may nest. A type may have some layers of its own for each level, so the recursion is
    ///   bounded by four times this number.
    /// - Throws: ``JSONCodingError`` with the first place that does not fit.
    public func decoded<T: Decodable>(as type: T.Type = T.self, depth: Int = JSONLimits().depth) throws(JSONCodingError) -> T {
        do {
            return try ValueDecoder(self, .root, steps: 4 * depth).decode(type)
        } catch {
            throw JSONCodingError(error, at: .root)
        }
    }
}

/// Reads one value of a tree. An immutable value, as its containers' parts are; each nested value gets a decoder of its own.
struct ValueDecoder: Decoder {
    let json: JSONValue
    let place: CodingPlace
    /// How many decoders may still be made within each other. Types that ask themselves for ever are stopped too.
    let steps: Int

    init(_ json: JSONValue, _ place: CodingPlace, steps: Int) {
        self.json = json
        self.place = place
        self.steps = steps
    }

    var codingPath: [any CodingKey] { place.keys }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if let leaf = type as? any JSONLeaf.Type {
            do throws(JSONRule) {
                if let value = try leaf.read(json) as? T { return value }
            } catch {
                throw refusal(error, type)
            }
        }
        guard steps > 0 else { throw refusal(.shallow, type) }
        do {
            return try T(from: ValueDecoder(json, place, steps: steps - 1))
        } catch let error as DecodingError {
            throw error
        } catch {
            // The place is lost further up.
            throw JSONCodingError(error, at: place)
        }
    }

    /// As the standard library's types expect it: they, and types that try one form after the other, catch `DecodingError`.
    func refusal(_ rule: JSONRule, _ type: any Any.Type) -> DecodingError {
        let context = DecodingError.Context(codingPath: place.keys, debugDescription: rule.description, underlyingError: rule)
        switch rule {
        case .notNull: return .valueNotFound(type, context)
        case .shallow, .integer, .allowed: return .dataCorrupted(context)
        default: return .typeMismatch(type, context)
        }
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = json else { throw refusal(json == .null ? .notNull : .object, JSONObject.self) }
        return KeyedDecodingContainer(KeyedDecoding<Key>(object, self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        switch json {
        case .array(let elements): return UnkeyedDecoding(.values(elements), self)
        case .bytes(let bytes): return UnkeyedDecoding(.bytes(bytes), self)
        default: throw refusal(json == .null ? .notNull : .array, [JSONValue].self)
        }
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }
}

extension ValueDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { json == .null }
}
