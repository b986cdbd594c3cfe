internal import JSON

/// Reads typed fields of a JSON object that a client sent: every refusal names the field and the rule.
struct FieldReader: Sendable {
    let object: JSONObject
    /// Prepended to field names in errors, such as `message.`.
    let prefix: String

    init(_ value: JSONValue, prefix: String = "") throws(HTTPFailure) {
        guard case .object(let object) = value else {
            throw .badRequest("The body must be a JSON object.", param: prefix.isEmpty ? nil : prefix)
        }
        self.object = object
        self.prefix = prefix
    }

    func failure(_ key: String, _ rule: String) -> HTTPFailure { .badRequest("\(prefix)\(key) \(rule).", param: prefix + key) }

    /// The member, with an explicit null read as absent.
    func value(_ key: String) -> JSONValue? {
        guard let value = object[key], value != .null else { return nil }
        return value
    }

    func string(_ key: String, bytesMax: Int) throws(HTTPFailure) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.stringValue, text.utf8.count <= bytesMax else {
            throw failure(key, "must be a string of at most \(bytesMax) bytes")
        }
        return text
    }

    /// A name that we store and hand back: bounded, printable, no control characters.
    func identifier(_ key: String) throws(HTTPFailure) -> String? {
        guard let text = try string(key, bytesMax: 128) else { return nil }
        guard !text.isEmpty, text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw failure(key, "must be 1 to 128 bytes without control characters")
        }
        return text
    }

    func integer(_ key: String, in range: ClosedRange<Int64>) throws(HTTPFailure) -> Int64? {
        guard let value = value(key) else { return nil }
        guard let integer = value.integerValue, range.contains(integer) else {
            throw failure(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    /// A decimal that we hand on as text and never compute with.
    func number(_ key: String, in range: ClosedRange<Double>) throws(HTTPFailure) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.numberText, let number = Double(text), range.contains(number) else {
            throw failure(key, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return text
    }

    func flag(_ key: String) throws(HTTPFailure) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.boolValue else { throw failure(key, "must be true or false") }
        return flag
    }
}
