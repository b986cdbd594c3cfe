/// A text that is equal to another only when both are the same sequence of Unicode scalars.
///
/// Swift's `String` compares by canonical equivalence: a composed `é` equals a decomposed one. In Cedar they are different ids,
/// attribute names and values, so every text of a policy, an entity or a request has this type. Ordered by UTF-8 bytes, which
/// is the order of the scalars and no order of a language.
public struct ExactString: Sendable {
    /// The same text as the standard library's string.
    public let string: String

    /// Wraps `string`.
    public init(_ string: String) {
        var string = string
        string.makeContiguousUTF8()
        self.string = string
    }

    /// The text of whole, valid UTF-8; what is invalid becomes U+FFFD.
    init(utf8 bytes: some Collection<UInt8>) {
        string = String(decoding: bytes, as: UTF8.self)
    }

    /// Whether there is no scalar at all.
    public var isEmpty: Bool { string.utf8.isEmpty }

    /// The length in bytes of UTF-8.
    public var utf8Count: Int { string.utf8.count }
}

extension ExactString: Hashable {
    public static func == (left: ExactString, right: ExactString) -> Bool {
        guard left.string.utf8.count == right.string.utf8.count else { return false }
        let same = left.string.utf8.withContiguousStorageIfAvailable { leftBytes in
            right.string.utf8.withContiguousStorageIfAvailable { rightBytes in
                areSame(UnsafeRawBufferPointer(leftBytes), UnsafeRawBufferPointer(rightBytes))
            }
        }
        return (same ?? nil) ?? left.string.utf8.elementsEqual(right.string.utf8)
    }

    /// Compares as many bytes as both have, in words: byte by byte it was a fifth of a decision.
    @inline(__always)
    private static func areSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        while place + 8 <= left.count {
            let words = (
                left.loadUnaligned(fromByteOffset: place, as: UInt64.self), right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            )
            if words.0 != words.1 { return false }
            place += 8
        }
        while place < left.count {
            if left[place] != right[place] { return false }
            place += 1
        }
        return true
    }

    public func hash(into hasher: inout Hasher) {
        let done: Void? = string.utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        if done == nil { for byte in string.utf8 { hasher.combine(byte) } }
        // A terminator, so that a pair of texts hashes by where it is divided.
        hasher.combine(0xFF as UInt8)
    }
}

extension ExactString: Comparable {
    public static func < (left: ExactString, right: ExactString) -> Bool {
        left.string.utf8.lexicographicallyPrecedes(right.string.utf8)
    }
}

extension ExactString: ExpressibleByStringLiteral, CustomStringConvertible {
    public init(stringLiteral value: String) { self.init(value) }
    public var description: String { string }
}
