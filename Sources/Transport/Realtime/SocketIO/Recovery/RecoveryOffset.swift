internal import NIOCore

/// A place in the order of events (R2), in one of two forms.
///
/// On one server it is the microsecond since 1970 at which an event was emitted, or the next one: it says when something was emitted
/// and, unlike a count, not how much the server sends to others. In a cluster it is the id of an entry of a stream of Redis, the
/// millisecond and a number. Each form's text has one length, so that a frame can be finished before its place is known.
package struct RecoveryOffset: Sendable, Hashable, Comparable {
    package enum Form: Sendable {
        case clock
        /// `<millisecond>-<number>`, both with leading zeros, which Redis reads as the same id.
        case entry

        /// 9,999,999,999,999,999 µs are in the year 2286, and so are 13 digits of milliseconds. Eight digits are what one of these gets
        /// at a million entries a second while its clock is a minute and a half behind.
        var length: Int {
            switch self {
            case .clock: 16
            case .entry: Self.millisecondDigits + 1 + Self.numberDigits
            }
        }

        fileprivate static let millisecondDigits = 13
        fileprivate static let numberDigits = 8

        /// What stands in a frame until the place is known.
        var placeholder: String {
            switch self {
            case .clock: String(repeating: "0", count: length)
            case .entry: RecoveryOffset(millisecond: 0, number: 0).text
            }
        }
    }

    /// Microseconds, or of an entry milliseconds.
    package let rawValue: UInt64
    /// Of an entry its number; otherwise ``noNumber``, which Redis never counts to.
    private let number: UInt64

    private static let noNumber = UInt64.max

    /// Before everything, in both forms.
    package static let start = RecoveryOffset(rawValue: 0)

    init(rawValue: UInt64) {
        self.rawValue = rawValue
        number = Self.noNumber
    }

    package init(millisecond: UInt64, number: UInt64) {
        rawValue = millisecond
        self.number = number
    }

    /// Nil unless `text` is what ``text`` gives; of an entry the leading zeros may be missing, as Redis writes it.
    package init?(_ text: some StringProtocol, _ form: Form) {
        switch form {
        case .clock:
            guard text.utf8.count == form.length, let value = Self.digits(text.utf8) else { return nil }
            self.init(rawValue: value)
        case .entry:
            guard text.utf8.count <= 41, let dash = text.utf8.firstIndex(of: UInt8(ascii: "-")),
                let millisecond = Self.digits(text.utf8[..<dash]), let number = Self.digits(text.utf8[text.utf8.index(after: dash)...]),
                number != Self.noNumber
            else { return nil }
            self.init(millisecond: millisecond, number: number)
        }
    }

    private static func digits(_ bytes: some Collection<UInt8>) -> UInt64? {
        guard !bytes.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, carries) = tens.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !isTooLarge, !carries else { return nil }
            value = sum
        }
        return value
    }

    package static func < (one: Self, other: Self) -> Bool { (one.rawValue, one.number) < (other.rawValue, other.number) }

    var form: Form { number == Self.noNumber ? .clock : .entry }

    /// The number that comes next in the same millisecond, for an entry.
    package var successor: RecoveryOffset { RecoveryOffset(millisecond: rawValue, number: form == .entry ? number + 1 : 0) }

    /// Before an entry, and after everything that is before it.
    package var predecessor: RecoveryOffset {
        if form == .entry, number > 0 { return RecoveryOffset(millisecond: rawValue, number: number - 1) }
        return RecoveryOffset(millisecond: rawValue == 0 ? 0 : rawValue - 1, number: rawValue == 0 ? 0 : Self.noNumber - 1)
    }

    var text: String {
        switch form {
        case .clock: Self.padded(rawValue, form.length)
        case .entry: Self.padded(rawValue, Form.millisecondDigits) + "-" + Self.padded(number, Form.numberDigits)
        }
    }

    /// As Redis writes the id of an entry.
    package var entryID: String { "\(rawValue)-\(form == .entry ? number : 0)" }

    /// A number that has more digits becomes the largest that has not: a place at which there is nothing.
    private static func padded(_ value: UInt64, _ count: Int) -> String {
        let digits = String(value)
        let missing = count - digits.utf8.count
        return missing < 0 ? String(repeating: "9", count: count) : String(repeating: "0", count: missing) + digits
    }

    /// Writes the text over what stands there.
    func write(into frames: inout ByteBuffer, at index: Int) {
        switch form {
        case .clock: Self.write(rawValue, form.length, into: &frames, at: index)
        case .entry:
            Self.write(rawValue, Form.millisecondDigits, into: &frames, at: index)
            frames.setInteger(UInt8(ascii: "-"), at: index + Form.millisecondDigits)
            Self.write(number, Form.numberDigits, into: &frames, at: index + Form.millisecondDigits + 1)
        }
    }

    private static func write(_ value: UInt64, _ count: Int, into frames: inout ByteBuffer, at index: Int) {
        var rest = value
        for position in stride(from: index + count - 1, through: index, by: -1) {
            frames.setInteger(UInt8(ascii: "0") + UInt8(rest % 10), at: position)
            rest /= 10
        }
        if rest > 0 { frames.setRepeatingByte(UInt8(ascii: "9"), count: count, at: index) }
    }
}
