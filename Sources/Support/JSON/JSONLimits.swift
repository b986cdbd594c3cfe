/// The bounds of a JSON text that comes from outside. The caller bounds its length, which bounds everything else
/// but the stack and the cost of duplicate keys.
public struct JSONLimits: Sendable, Hashable {
    /// How deep arrays and objects may nest. 128 is more than any envelope needs and costs a few kilobytes of stack.
    public var depth: Int
    /// How many members one object may have: member look-up is linear, so this bounds the quadratic term.
    public var members: Int

    /// Limits that fit what comes from a network, unless given.
    public init(depth: Int = 128, members: Int = 1_024) {
        self.depth = depth
        self.members = members
    }
}

/// Why a text is not acceptable JSON, and at which byte.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong with the text.
    public enum Reason: String, Sendable {
        case unexpectedEnd = "the text ends too early"
        case unexpectedByte = "this byte cannot stand here"
        case invalidNumber = "this is not a JSON number"
        case invalidEscape = "this escape is unknown"
        case controlCharacter = "control characters in a string must be escaped"
        case invalidUTF8 = "the string is not UTF-8"
        case tooDeep = "arrays and objects nest too deeply"
        case tooManyMembers = "the object has too many members"
        case trailingBytes = "something follows the value"
        // The rest is refused by the strict parser alone (StrictJSON.swift).
        case byteOrderMark = "the text starts with a byte order mark"
        case duplicateKey = "the object has this key already"
        case loneSurrogate = "half of a surrogate pair stands alone"
        case nulInString = "strings must not contain NUL"
        case inexactNumber = "the number does not fit an exact 64-bit integer or a decimal of few digits"
        case negativeZero = "zero has no sign"
        case keyTooLong = "the key is too long"
        case tooManyNodes = "the text has too many values"
    }

    /// What is wrong.
    public let reason: Reason
    /// Bytes from the start of the text.
    public let offset: Int

    /// The byte and the reason, for logs; nothing of the text.
    public var description: String { "byte \(offset): \(reason.rawValue)" }
}
