extension Value {
    /// A moment, in milliseconds.
    public struct Datetime: Hashable, Sendable, Comparable {
        /// Milliseconds since the beginning of 1970, UTC.
        public let milliseconds: Int64

        static let dayMilliseconds: Int64 = 86_400_000

        /// A moment so many milliseconds after the beginning of 1970, UTC.
        public init(milliseconds: Int64) { self.milliseconds = milliseconds }

        /// Reads `2024-05-31`, `2024-05-31T12:00:00Z`, `2024-05-31T12:00:00.000+0200`.
        public init(_ text: ExactString) throws(ExtensionError) {
            var reader = FieldReader(text)
            guard let milliseconds = Self.read(&reader), reader.isAtEnd else {
                throw .text(text, "a datetime", "`2024-05-31` or `2024-05-31T12:00:00Z`")
            }
            self.milliseconds = milliseconds
        }

        /// This moment and `duration` later.
        public func offset(by duration: Duration) throws(ExtensionError) -> Datetime {
            let (sum, overflow) = milliseconds.addingReportingOverflow(duration.milliseconds)
            guard !overflow else { throw ExtensionError("the datetime plus the duration is out of range") }
            return Datetime(milliseconds: sum)
        }

        /// How long after `other` this is.
        public func durationSince(_ other: Datetime) throws(ExtensionError) -> Duration {
            let (difference, overflow) = milliseconds.subtractingReportingOverflow(other.milliseconds)
            guard !overflow else { throw ExtensionError("the time between the two datetimes is out of range") }
            return Duration(milliseconds: difference)
        }

        /// The midnight, UTC, that begins its day.
        public func toDate() throws(ExtensionError) -> Datetime {
            let (midnight, overflow) = milliseconds.subtractingReportingOverflow(toTime().milliseconds)
            guard !overflow else { throw ExtensionError("the day of the datetime begins out of range") }
            return Datetime(milliseconds: midnight)
        }

        /// The time since the midnight, UTC, that begins its day.
        public func toTime() -> Duration {
            let remainder = milliseconds % Self.dayMilliseconds
            return Duration(milliseconds: remainder < 0 ? remainder + Self.dayMilliseconds : remainder)
        }

        public static func < (left: Datetime, right: Datetime) -> Bool { left.milliseconds < right.milliseconds }

        // MARK: - Reading

        private static func read(_ reader: inout FieldReader) -> Int64? {
            guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"), let day = reader.number(2),
                (1...12).contains(month), (1...days(in: month, of: year)).contains(day)
            else { return nil }
            let date = Int64(dayNumber(year, month, day)) * dayMilliseconds
            if reader.isAtEnd { return date }
            guard reader.take("T"), let hour = reader.number(2), reader.take(":"), let minute = reader.number(2), reader.take(":"),
                let second = reader.number(2), hour < 24, minute < 60, second < 60
            else { return nil }
            var fraction = 0
            if reader.take(".") {
                guard let milliseconds = reader.number(3) else { return nil }
                fraction = milliseconds
            }
            guard let zone = zone(&reader) else { return nil }
            let seconds = (hour * 60 + minute - zone) * 60 + second
            return date + Int64(seconds) * 1_000 + Int64(fraction)
        }

        /// Minutes ahead of UTC.
        private static func zone(_ reader: inout FieldReader) -> Int? {
            if reader.take("Z") { return 0 }
            let isAhead = reader.take("+")
            guard isAhead || reader.take("-"), let hours = reader.number(2), let minutes = reader.number(2), hours < 24, minutes < 60 else {
                return nil
            }
            return isAhead ? hours * 60 + minutes : -(hours * 60 + minutes)
        }

        private static func days(in month: Int, of year: Int) -> Int {
            switch month {
            case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
            case 4, 6, 9, 11: 30
            default: 31
            }
        }

        /// Days since the beginning of 1970. The year is counted from March, so that the leap day is its last.
        private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
            // One cycle of the calendar is added, so that no division is of a negative number.
            let year = (month > 2 ? year : year - 1) + 400
            let monthFromMarch = (month + 9) % 12
            let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
            let days = year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear
            // 719,468 days from March of year 0 to 1970, and 146,097 of the cycle.
            return days - 719_468 - 146_097
        }
    }
}

/// Reads fields of fixed width.
struct FieldReader {
    private var rest: ArraySlice<UInt8>

    init(_ text: ExactString) { rest = Array(text.string.utf8)[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, UInt32(first) == character.value else { return false }
        rest.removeFirst()
        return true
    }

    /// Exactly so many digits.
    mutating func number(_ digits: Int) -> Int? {
        let field = rest.prefix(digits)
        guard field.count == digits, field.allSatisfy(Lexer.isDigit) else { return nil }
        rest.removeFirst(digits)
        return field.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// Any number of digits, one at least.
    mutating func digits() -> ArraySlice<UInt8>? {
        let run = rest.prefix(while: Lexer.isDigit)
        guard !run.isEmpty else { return nil }
        rest.removeFirst(run.count)
        return run
    }

    /// The letters that come next.
    mutating func letters() -> ArraySlice<UInt8> {
        let run = rest.prefix { !Lexer.isDigit($0) }
        rest.removeFirst(run.count)
        return run
    }
}
