/// Writes the members of an object.
struct KeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    private let encoder: ValueEncoder

    init(_ encoder: ValueEncoder) {
        self.encoder = encoder
    }

    var codingPath: [any CodingKey] { encoder.codingPath }

    private func place(_ key: some CodingKey) -> CodingPlace { .key(key, in: encoder.place) }

    private func nested(_ key: some CodingKey) -> ValueEncoder {
        let nested = ValueEncoder(place(key), steps: encoder.steps)
        encoder.node.set(key.stringValue, .node(nested.node))
        return nested
    }

    func encodeNil(forKey key: Key) { encoder.node.set(key.stringValue, .json(.null)) }

    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        encoder.node.set(key.stringValue, .json(try encoder.json(of: value, at: place(key))))
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { nested(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { nested(PlainKey(stringValue: "super")) }

    func superEncoder(forKey key: Key) -> any Encoder { nested(key) }
}

/// Writes the elements of an array.
struct UnkeyedEncoding: UnkeyedEncodingContainer {
    private let encoder: ValueEncoder

    init(_ encoder: ValueEncoder) {
        self.encoder = encoder
    }

    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { encoder.node.count }

    private var place: CodingPlace { .index(count, in: encoder.place) }

    private func nested() -> ValueEncoder {
        let nested = ValueEncoder(place, steps: encoder.steps)
        encoder.node.append(.node(nested.node))
        return nested
    }

    func encodeNil() { encoder.node.append(.json(.null)) }

    func encode<T: Encodable>(_ value: T) throws { encoder.node.append(.json(try encoder.json(of: value, at: place))) }

    /// How a type that is bytes writes them, Foundation's `Data` for one.
    func encode<Bytes: Sequence>(contentsOf bytes: Bytes) where Bytes.Element == UInt8 { encoder.node.append(bytes) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        nested().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

    func superEncoder() -> any Encoder { nested() }
}
