/// How long a window lasts before it starts again at zero. Calendar periods in UTC; the week starts on Monday.
public enum Period: String, Sendable, Hashable, CaseIterable, Codable {
    case minute, hour, day, week, month
    /// Never starts again.
    case total
}

/// One window's time: half-open, in UTC, with the id that names it in keys.
public struct WindowSpan: Sendable, Hashable {
    /// `2026-11-23T19-41`, `2026-11-23T19`, `2026-11-23`, `2026-W48`, `2026-11` or `all`. Never holds a colon.
    public let id: String
    public let start: Milliseconds
    public let end: Milliseconds

    /// The end of ``Period/total``: the first instant of the year 10000, an integer that doubles hold exactly.
    public static let never = Milliseconds(253_402_300_800_000)

    /// The span of `period` that contains `instant`.
    public init(_ period: Period, containing instant: Milliseconds) {
        let date = CivilDate(containing: instant)
        switch period {
        case .minute, .hour:
            let length: Int64 = period == .hour ? 3_600_000 : 60_000
            start = Milliseconds(CivilDate.floorDivide(instant.rawValue, length) * length)
            end = start + Milliseconds(length)
            let minute = (start - date.start).rawValue / 60_000
            let hourText = "\(date.text)T\(CivilDate.padded(minute / 60, 2))"
            id = period == .hour ? hourText : "\(hourText)-\(CivilDate.padded(minute % 60, 2))"
        case .day:
            start = date.start
            end = start + Milliseconds(86_400_000)
            id = date.text
        case .week:
            start = CivilDate(daysSinceEpoch: date.daysSinceEpoch - date.weekday).start
            end = start + Milliseconds(7 * 86_400_000)
            let week = date.isoWeek
            id = "\(CivilDate.padded(week.year, 4))-W\(CivilDate.padded(week.week, 2))"
        case .month:
            start = CivilDate(year: date.year, month: date.month, day: 1).start
            end = date.nextMonth.start
            id = "\(CivilDate.padded(date.year, 4))-\(CivilDate.padded(date.month, 2))"
        case .total:
            start = Milliseconds(0)
            end = Self.never
            id = "all"
        }
    }

    public func contains(_ instant: Milliseconds) -> Bool { start <= instant && instant < end }
}
