extension Value {
    /// A stretch of time, in milliseconds; it may be negative.
    public struct Duration: Hashable, Sendable, Comparable {
        /// Its length.
        public let milliseconds: Int64

        /// The units in the order in which they are written.
        private static let units: [(name: String, milliseconds: Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
        ]

        /// So many milliseconds.
        public init(milliseconds: Int64) { self.milliseconds = milliseconds }

        /// Reads `1d12h30m10s500ms`, or some of it in this order, with a minus sign or none.
        public init(_ text: ExactString) throws(ExtensionError) {
            let malformed = ExtensionError.text(text, "a duration", "`1d12h30m10s500ms`, or some of it in this order")
            let overflow = ExtensionError("\(Escape.quoted(text)) is outside the range of duration")
            var reader = FieldReader(text)
            let isNegative = reader.take("-")
            var units = Self.units[...]
            // Counted downwards, because the least duration has no positive counterpart.
            var total: Int64 = 0
            var fits = true
            repeat {
                guard let digits = reader.digits() else { throw malformed }
                let name = reader.letters()
                guard let unit = units.firstIndex(where: { $0.name.utf8.elementsEqual(name) }) else { throw malformed }
                let (part, tooLong) = (DigitRun.value(of: digits, negative: true) ?? 0).multipliedReportingOverflow(
                    by: units[unit].milliseconds)
                let (sum, tooLongToo) = total.addingReportingOverflow(part)
                if DigitRun.value(of: digits, negative: true) == nil || tooLong || tooLongToo { fits = false }
                total = sum
                units = units[(unit + 1)...]
            } while !reader.isAtEnd
            guard fits, isNegative || total != .min else { throw overflow }
            milliseconds = isNegative ? total : -total
        }

        /// How often `unit` fits, towards zero.
        func whole(_ unit: Int64) -> Int64 { milliseconds / unit }

        public static func < (left: Duration, right: Duration) -> Bool { left.milliseconds < right.milliseconds }
    }
}
