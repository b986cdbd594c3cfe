internal import NIOCore

/// A place in the order of a server's events (R2): the microsecond since 1970 at which an event was emitted, or the next
/// one. It says when something was emitted and, unlike a count, not how much the server sends to others.
///
/// Its text has one length, so that a frame can be finished before its place is known.
struct RecoveryOffset: Sendable, Hashable, Comparable {
    let rawValue: UInt64

    static let start = RecoveryOffset(rawValue: 0)
    /// 9,999,999,999,999,999 is in the year 2286.
    static let length = 16
    /// What stands in a frame until the place is known.
    static let placeholder = String(repeating: "0", count: length)

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Nil unless `text` is what ``text`` gives.
    init?(_ text: String) {
        guard text.utf8.count == Self.length else { return nil }
        var value: UInt64 = 0
        for byte in text.utf8 {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        rawValue = value
    }

    static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }

    var text: String {
        let digits = String(rawValue)
        return String(repeating: "0", count: max(0, Self.length - digits.utf8.count)) + digits
    }

    /// Writes the text over what stands there.
    func write(into frames: inout ByteBuffer, at index: Int) {
        var rest = rawValue
        for position in stride(from: index + Self.length - 1, through: index, by: -1) {
            frames.setInteger(UInt8(ascii: "0") + UInt8(rest % 10), at: position)
            rest /= 10
        }
    }
}
