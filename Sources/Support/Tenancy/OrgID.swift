/// The name of an organisation, checked: nothing of an organisation is looked up, kept, keyed or sent to but by one.
///
/// A text from outside becomes one where it comes in, or is refused there. There is no way around the check; what a literal in the
/// source says is our own word, and a wrong one ends the process.
public struct OrgID: Sendable, Hashable, Comparable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let text: String

    /// - Throws: ``ScopeError`` for a text that is no name (``TenancyName``).
    public init(_ text: String) throws(ScopeError) {
        try TenancyName.check(text)
        self.text = text
    }

    public init(stringLiteral text: String) {
        do { try self.init(text) } catch { preconditionFailure("\(text) is no name of an organisation: \(error)") }
    }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    public var description: String { text }

    // Byte by byte, as every store compares and orders. Of what is equal Swift says the same, since names are composed
    // in one way (``TenancyName``); of the order it does not.
    public static func == (one: OrgID, other: OrgID) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }

    public func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0xFF as UInt8)
    }

    public static func < (one: OrgID, other: OrgID) -> Bool { one.text.utf8.lexicographicallyPrecedes(other.text.utf8) }
}
