/// A day of the proleptic Gregorian calendar, by integers alone. Where it begins and ends is UTC's here, and a zone's in
/// ``CalendarZone/start(of:)``.
///
/// The conversions are the well-known day-count ones: the year is taken to begin in March, so that the leap day is its
/// last, and 400 years are one period of 146,097 days.
struct CivilDate: Sendable, Hashable {
    let year: Int64
    let month: Int64
    let day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(containing instant: Milliseconds) {
        self.init(daysSinceEpoch: Self.floorDivide(instant.rawValue, 86_400_000))
    }

    init(daysSinceEpoch: Int64) {
        // 719,468 days lie between 0000-03-01 and 1970-01-01.
        let shifted = daysSinceEpoch + 719_468
        let period = Self.floorDivide(shifted, 146_097)
        let dayOfPeriod = shifted - period * 146_097
        let yearOfPeriod = (dayOfPeriod - dayOfPeriod / 1460 + dayOfPeriod / 36_524 - dayOfPeriod / 146_096) / 365
        let dayOfYear = dayOfPeriod - (365 * yearOfPeriod + yearOfPeriod / 4 - yearOfPeriod / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        year = yearOfPeriod + period * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let period = Self.floorDivide(marchYear, 400)
        let yearOfPeriod = marchYear - period * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return period * 146_097 + yearOfPeriod * 365 + yearOfPeriod / 4 - yearOfPeriod / 100 + dayOfYear - 719_468
    }

    /// 0 for Monday … 6 for Sunday; the epoch was a Thursday.
    var weekday: Int64 {
        let shifted = daysSinceEpoch + 3
        return shifted - Self.floorDivide(shifted, 7) * 7
    }

    /// ISO 8601 year and week: week 1 is the one with the year's first Thursday.
    var isoWeek: (year: Int64, week: Int64) {
        let thursday = CivilDate(daysSinceEpoch: daysSinceEpoch - weekday + 3)
        let newYear = CivilDate(year: thursday.year, month: 1, day: 1)
        return (thursday.year, (thursday.daysSinceEpoch - newYear.daysSinceEpoch) / 7 + 1)
    }

    var next: CivilDate { CivilDate(daysSinceEpoch: daysSinceEpoch + 1) }

    /// The first day of the next month.
    var nextMonth: CivilDate {
        month == 12 ? CivilDate(year: year + 1, month: 1, day: 1) : CivilDate(year: year, month: month + 1, day: 1)
    }

    var start: Milliseconds { Milliseconds(daysSinceEpoch * 86_400_000) }

    var text: String { "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))" }

    static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
