internal import Cedar

/// Moments as questions and records have them: RFC 3339 in UTC, with milliseconds only where there are some.
enum UTCText {
    /// `2026-11-28T09:00:00Z`, `2026-11-28T09:00:00.250Z`.
    static func text(_ milliseconds: Int64) -> String {
        let day = milliseconds.flooredDivision(by: 86_400_000)
        let inDay = milliseconds - day * 86_400_000
        let (year, month, date) = civil(day)
        let seconds = inDay / 1_000
        var text = "\(padded(year, 4))-\(padded(month, 2))-\(padded(date, 2))T"
        text += "\(padded(seconds / 3_600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        if inDay % 1_000 != 0 { text += ".\(padded(inDay % 1_000, 3))" }
        return text + "Z"
    }

    /// Milliseconds since 1970-01-01T00:00Z; nil for a text that is no moment.
    static func milliseconds(_ text: String) -> Int64? { try? Value.Datetime(ExactString(text)).milliseconds }

    /// The Gregorian date of a day since 1970-01-01. Eras of 400 years that begin in March, so that the leap day is a year's last.
    private static func civil(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted.flooredDivision(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        return (yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0), civilMonth, date)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
