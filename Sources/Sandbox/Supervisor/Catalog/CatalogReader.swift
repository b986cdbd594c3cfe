internal import JSON

/// Takes an object's members one by one and refuses what is left over: a key that nobody reads is a mistake of its author.
struct CatalogReader {
    private var rest: JSONObject
    private let base: String

    init(_ object: JSONObject, at base: String) {
        rest = object
        self.base = base
    }

    func path(_ key: String) -> String { base.isEmpty ? key : "\(base).\(key)" }

    func error(_ key: String, _ message: String) -> CatalogError { CatalogError(path: path(key), rule: key, message: message) }

    mutating func take(_ key: String) -> JSONValue? {
        // Keys of ASCII alone are looked for, and finish() refuses whatever only looks like one.
        guard let index = rest.members.firstIndex(where: { $0.key.utf8.elementsEqual(key.utf8) }) else { return nil }
        let value = rest.members[index].value
        rest[rest.members[index].key] = nil
        return value
    }

    func finish() throws(CatalogError) {
        guard let member = rest.members.first else { return }
        let key = SafeText.shown(member.key)
        throw CatalogError(path: path(key), rule: "unknown_key", message: "\(key) is not known here")
    }

    mutating func text(_ key: String, bytesMax: Int) throws(CatalogError) -> String? {
        guard let value = take(key) else { return nil }
        guard case .string(let text) = value, text.utf8.count <= bytesMax else {
            throw error(key, "is a text of at most \(bytesMax) bytes")
        }
        return text
    }

    mutating func requiredText(_ key: String, bytesMax: Int) throws(CatalogError) -> String {
        guard let text = try text(key, bytesMax: bytesMax), !text.isEmpty else { throw error(key, "is missing or empty") }
        return text
    }

    mutating func flag(_ key: String) throws(CatalogError) -> Bool? {
        guard let value = take(key) else { return nil }
        guard case .bool(let flag) = value else { throw error(key, "is true or false") }
        return flag
    }

    mutating func integer(_ key: String) throws(CatalogError) -> Int64? {
        guard let value = take(key) else { return nil }
        guard case .integer(let integer) = value else { throw error(key, "is an integer") }
        return integer
    }

    mutating func object(_ key: String) throws(CatalogError) -> JSONObject? {
        guard let value = take(key) else { return nil }
        guard case .object(let object) = value else { throw error(key, "is an object") }
        return object
    }

    /// A list of texts, none of them twice.
    mutating func texts(_ key: String, countMax: Int, bytesMax: Int) throws(CatalogError) -> [String]? {
        guard let texts = try words(key, countMax: countMax, bytesMax: bytesMax) else { return nil }
        guard Set(texts).count == texts.count else { throw error(key, "has a text twice") }
        return texts
    }

    /// A list of texts.
    mutating func words(_ key: String, countMax: Int, bytesMax: Int) throws(CatalogError) -> [String]? {
        guard let value = take(key) else { return nil }
        guard case .array(let values) = value, values.count <= countMax else {
            throw error(key, "is a list of at most \(countMax) texts")
        }
        var texts: [String] = []
        for value in values {
            guard case .string(let text) = value, text.utf8.count <= bytesMax else {
                throw error(key, "is a list of texts of at most \(bytesMax) bytes")
            }
            texts.append(text)
        }
        return texts
    }

    /// `10s`, `500ms`, `2m`.
    mutating func duration(_ key: String, upTo maximum: Duration) throws(CatalogError) -> Duration? {
        guard let text = try text(key, bytesMax: 16) else { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit: Duration? =
            switch text.dropFirst(digits.count) {
            case "ms": .milliseconds(1)
            case "s": .seconds(1)
            case "m": .seconds(60)
            default: nil
            }
        guard let unit, let count = Int32(digits), count > 0, unit * Int(count) <= maximum else {
            throw error(key, "is a time like 500ms, 10s or 2m, of at most \(maximum.components.seconds) seconds")
        }
        return unit * Int(count)
    }

    /// `64KiB`, `1MiB`, `512B`.
    mutating func bytes(_ key: String, upTo maximum: Int) throws(CatalogError) -> Int? {
        guard let text = try text(key, bytesMax: 16) else { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit: Int? =
            switch text.dropFirst(digits.count) {
            case "B": 1
            case "KiB": 1_024
            case "MiB": 1_024 * 1_024
            default: nil
            }
        guard let unit, let count = Int32(digits), count > 0, Int(count) * unit <= maximum else {
            throw error(key, "is a size like 512B, 64KiB or 1MiB, of at most \(maximum) bytes")
        }
        return Int(count) * unit
    }
}
