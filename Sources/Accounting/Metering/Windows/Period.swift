/// How long a window lasts before it starts again at zero. Calendar periods, in UTC or a zone; the week starts on Monday.
public enum Period: String, Sendable, Hashable, CaseIterable, Codable {
    case minute, hour, day, week, month
    /// Never starts again.
    case total

    /// True where the calendar, and with it the zone, says when it begins. Minutes and hours count the store's clock in UTC.
    public var followsZone: Bool { self == .day || self == .week || self == .month }
}

/// One window's time: half-open, with the id that names it in keys.
public struct WindowSpan: Sendable, Hashable {
    /// `2026-11-23T19-41`, `2026-11-23T19`, `2026-11-23`, `2026-W48`, `2026-11` or `all`; in a zone `2026-11-23@Europe/Berlin`. Never
    /// holds a colon.
    public let id: String
    public let start: Milliseconds
    public let end: Milliseconds

    /// The end of ``Period/total``: the first instant of the year 10000, an integer that doubles hold exactly.
    public static let never = Milliseconds(253_402_300_800_000)

    /// The span of `period` that contains `instant`, by local dates where the period follows a zone. The spans of one period and zone
    /// leave no instant out and share none.
    public init(_ period: Period, containing instant: Milliseconds, in zone: CalendarZone? = nil) {
        let zone = period.followsZone ? zone : nil
        let date = zone?.date(containing: instant) ?? CivilDate(containing: instant)
        func begin(of date: CivilDate) -> Milliseconds { zone?.start(of: date) ?? date.start }
        func named(_ id: String) -> String { zone.map { "\(id)@\($0.name)" } ?? id }
        switch period {
        case .minute, .hour:
            let length: Int64 = period == .hour ? 3_600_000 : 60_000
            start = Milliseconds(CivilDate.floorDivide(instant.rawValue, length) * length)
            end = start + Milliseconds(length)
            let minute = (start - date.start).rawValue / 60_000
            let hourText = "\(date.text)T\(CivilDate.padded(minute / 60, 2))"
            id = period == .hour ? hourText : "\(hourText)-\(CivilDate.padded(minute % 60, 2))"
        case .day:
            start = begin(of: date)
            end = begin(of: date.next)
            id = named(date.text)
        case .week:
            let monday = date.daysSinceEpoch - date.weekday
            start = begin(of: CivilDate(daysSinceEpoch: monday))
            end = begin(of: CivilDate(daysSinceEpoch: monday + 7))
            let week = date.isoWeek
            id = named("\(CivilDate.padded(week.year, 4))-W\(CivilDate.padded(week.week, 2))")
        case .month:
            start = begin(of: CivilDate(year: date.year, month: date.month, day: 1))
            end = begin(of: date.nextMonth)
            id = named("\(CivilDate.padded(date.year, 4))-\(CivilDate.padded(date.month, 2))")
        case .total:
            start = Milliseconds(0)
            end = Self.never
            id = "all"
        }
    }

    public func contains(_ instant: Milliseconds) -> Bool { start <= instant && instant < end }
}
