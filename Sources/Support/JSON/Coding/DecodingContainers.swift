/// The members of an object, by key. Look-up is a scan while they are few, and by a table beyond: a dictionary of a thousand keys
/// asks for each of them.
struct KeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let members: [JSONObject.Member]
    private let table: [String: Int]?
    private let decoder: ValueDecoder

    private static var scanned: Int { 16 }

    init(_ object: JSONObject, _ decoder: ValueDecoder) {
        members = object.members
        table =
            members.count > Self.scanned
            ? Dictionary(members.enumerated().map { ($0.element.key, $0.offset) }, uniquingKeysWith: { $1 }) : nil
        self.decoder = decoder
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] { members.compactMap { Key(stringValue: $0.key) } }

    private func find(_ key: String) -> JSONValue? {
        guard let table else { return members.first { $0.key == key }?.value }
        return table[key].map { members[$0].value }
    }

    private func member(_ key: some CodingKey) throws -> ValueDecoder {
        guard let json = find(key.stringValue) else {
            throw DecodingError.keyNotFound(
                key,
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: JSONRule.present.description, underlyingError: JSONRule.present))
        }
        return ValueDecoder(json, .key(key, in: decoder.place), steps: decoder.steps)
    }

    func contains(_ key: Key) -> Bool { find(key.stringValue) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try member(key).decodeNil() }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try member(key).decode(type) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws -> KeyedDecodingContainer<Nested> {
        try member(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try member(key).unkeyedContainer() }

    func superDecoder() throws -> any Decoder { try member(PlainKey(stringValue: "super")) }

    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }
}

/// The elements of an array, one after the other; or bytes, as the numbers that they are.
struct UnkeyedDecoding: UnkeyedDecodingContainer {
    enum Elements {
        case values([JSONValue])
        case bytes([UInt8])
    }

    private let elements: Elements
    private let decoder: ValueDecoder
    private(set) var currentIndex = 0
    private let total: Int

    init(_ elements: Elements, _ decoder: ValueDecoder) {
        self.elements = elements
        self.decoder = decoder
        total =
            switch elements {
            case .values(let values): values.count
            case .bytes(let bytes): bytes.count
            }
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { total }
    var isAtEnd: Bool { currentIndex >= total }

    private func current(_ type: any Any.Type) throws -> ValueDecoder {
        let place = CodingPlace.index(currentIndex, in: decoder.place)
        guard !isAtEnd else {
            let context = DecodingError.Context(
                codingPath: place.keys, debugDescription: JSONRule.present.description, underlyingError: JSONRule.present)
            throw DecodingError.valueNotFound(type, context)
        }
        let json: JSONValue =
            switch elements {
            case .values(let values): values[currentIndex]
            case .bytes(let bytes): .integer(Int64(bytes[currentIndex]))
            }
        return ValueDecoder(json, place, steps: decoder.steps)
    }

    mutating func decodeNil() throws -> Bool {
        guard try current(Never.self).decodeNil() else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let value = try current(type).decode(type)
        currentIndex += 1
        return value
    }

    /// How a type such as Foundation's `Data` reads a megabyte.
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 {
        if case .bytes(let bytes) = elements, currentIndex < bytes.count {
            defer { currentIndex += 1 }
            return bytes[currentIndex]
        }
        let value = try current(type).decode(type)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
        let nested = try current(type).container(keyedBy: type)
        currentIndex += 1
        return nested
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let nested = try current([JSONValue].self).unkeyedContainer()
        currentIndex += 1
        return nested
    }

    mutating func superDecoder() throws -> any Decoder {
        let nested = try current(Never.self)
        currentIndex += 1
        return nested
    }
}
