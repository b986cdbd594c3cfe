extension JSONValue {
    /// The one JSON text of this value, for digests: equal values give equal bytes whoever wrote them.
    ///
    /// As RFC 8785 (JCS): keys sorted by UTF-16 code units, no spaces, only the escapes that must be, numbers by value, so
    /// that `1.50`, `1.5` and `15e-1` are one. One difference: an `Int64` beyond 2^53 keeps all its digits, because this
    /// value never passes through a double. ``bytes(_:)`` becomes `{"$bytes":"<hex>"}`.
    ///
    /// Cost is O(n log n) in the members of an object. Recursion is as deep as the value, which a parser has bounded.
    public var canonicalBytes: [UInt8] {
        var writer = JSONWriter()
        writer.canonical(self)
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func canonical(_ json: JSONValue) {
        switch json {
        case .null, .bool, .integer, .string:
            value(json)
        case .number(let text):
            // What is no number at all can only come from our own code; it keeps its text, so it equals nothing else.
            if let decimal = CanonicalDecimal(text.utf8) { raw(decimal.text) } else { raw(text) }
        case .array(let elements):
            beginArray()
            for element in elements { canonical(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members.sorted(by: { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }) {
                key(member.key)
                canonical(member.value)
            }
            endObject()
        case .bytes(let data):
            beginObject()
            key("$bytes")
            value(data.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
            endObject()
        }
    }
}
