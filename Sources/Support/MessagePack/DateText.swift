/// A date as JavaScript's `toJSON` writes it: UTC, with milliseconds, in the proleptic Gregorian calendar.
///
/// Source: ECMA-262, *Date Time String Format*.
enum DateText {
    /// The years that are written with four digits.
    private static let range: Range<Int64> = -62_167_219_200_000..<253_402_300_800_000

    /// Nil outside of the years 0 to 9999.
    static func text(milliseconds: Int64) -> String? {
        guard range.contains(milliseconds) else { return nil }
        let (day, time) = (milliseconds - range.lowerBound).quotientAndRemainder(dividingBy: 86_400_000)
        let date = date(day: Int(day))
        let clock = [Int(time / 3_600_000), Int(time / 60_000 % 60), Int(time / 1_000 % 60)].map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T\(clock).\(padded(Int(time % 1_000), 3))Z"
    }

    /// - Parameter day: days since the first of January of the year 0.
    private static func date(day: Int) -> (year: Int, month: Int, day: Int) {
        // 400 years have the same number of days always; the rest is counted, at most 400 years and twelve months.
        var (cycle, rest) = day.quotientAndRemainder(dividingBy: 146_097)
        cycle *= 400
        while rest >= length(ofYear: cycle) {
            rest -= length(ofYear: cycle)
            cycle += 1
        }
        let lengths = [31, isLeap(cycle) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var month = 0
        while rest >= lengths[month] {
            rest -= lengths[month]
            month += 1
        }
        return (cycle, month + 1, rest + 1)
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && year % 100 != 0 || year % 400 == 0 }
    private static func length(ofYear year: Int) -> Int { isLeap(year) ? 366 : 365 }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
