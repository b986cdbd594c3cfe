internal import Accounting
internal import HTTPTypes
internal import JSON

/// What becomes of a field: absent leaves it, null takes it away.
enum FieldChange<Value: Sendable>: Sendable {
    case keep, remove
    case set(Value)

    var value: Value? {
        if case .set(let value) = self { return value }
        return nil
    }

    /// Does it to a stored value.
    func apply(to stored: inout Value?) {
        switch self {
        case .keep: break
        case .remove: stored = nil
        case .set(let value): stored = value
        }
    }
}

extension TenancyName {
    /// For sentences.
    static let rule = "must be a name of 1 to \(AccountingLimits.nameBytes) bytes in composed form (NFC) without blanks and / { }"
}

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

    /// What a request wants of a field that may be taken away.
    func change<Value>(
        _ key: String, _ read: (JSONValue) throws(HTTPFailure) -> Value
    ) throws(HTTPFailure) -> FieldChange<Value> {
        guard let value = object[key] else { return .keep }
        return value == .null ? .remove : .set(try read(value))
    }

    /// Refuses members that are none of these: a field that was meant and is not known must not pass for one that was obeyed.
    func allow(only known: Set<String>) throws(HTTPFailure) {
        guard let extra = object.members.first(where: { !known.contains($0.key) }) else { return }
        let name = String(extra.key.prefix(64))
        throw HTTPFailure(.badRequest, code: "unsupported_parameter", message: "There is no field \(name) here.", param: prefix + name)
    }

    /// A name of the tenancy path.
    func name(_ key: String) throws(HTTPFailure) -> String? {
        guard let text = try string(key, bytesMax: AccountingLimits.nameBytes) else { return nil }
        do { try TenancyName.check(text) } catch { throw failure(key, TenancyName.rule) }
        return text
    }

    /// Milliseconds since 1970, or RFC 3339.
    func instant(_ key: String) throws(HTTPFailure) -> FieldChange<Milliseconds> {
        try change(key) { value throws(HTTPFailure) in
            guard let text = value.stringValue ?? value.integerValue.map(String.init),
                let instant = try? LedgerSelection.instant(text, key), (Milliseconds(0)..<WindowSpan.never).contains(instant)
            else { throw failure(key, "must be milliseconds since 1970, or an instant such as 2026-11-24T10:00:00Z") }
            return instant
        }
    }

    func flag(_ key: String) throws(HTTPFailure) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.boolValue else { throw failure(key, "must be true or false") }
        return flag
    }
}
