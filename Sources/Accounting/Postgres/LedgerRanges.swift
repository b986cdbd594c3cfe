internal import Accounting

/// Which sums and which rows add up to a span of time: whole days, whole minutes beside them, and single rows at the ends.
///
/// Every window begins and ends on a minute, so the rows at the ends are for callers with other questions.
struct LedgerRanges: Sendable, Hashable {
    static let minute: Int64 = 60_000
    static let day: Int64 = 86_400_000
    /// Times beyond this many milliseconds from 1970 (275,000 years) are none.
    static let horizon: Int64 = 8_640_000_000_000_000

    /// Half-open; empty where the bounds are equal.
    let days: Range<Int64>
    let minutes: [Range<Int64>]
    let rows: [Range<Int64>]

    init(from: Milliseconds, to: Milliseconds) {
        let from = min(max(from.rawValue, -Self.horizon), Self.horizon)
        let to = max(min(max(to.rawValue, -Self.horizon), Self.horizon), from)
        let (firstMinute, endMinute) = (Self.ceiling(from, Self.minute), Self.floor(to, Self.minute))
        guard firstMinute < endMinute else {
            (days, minutes, rows) = (0..<0, [0..<0, 0..<0], [from..<to, 0..<0])
            return
        }
        rows = [from..<firstMinute, endMinute..<to]
        let (firstDay, endDay) = (Self.ceiling(firstMinute, Self.day), Self.floor(endMinute, Self.day))
        guard firstDay < endDay else {
            (days, minutes) = (0..<0, [firstMinute..<endMinute, 0..<0])
            return
        }
        (days, minutes) = (firstDay..<endDay, [firstMinute..<firstDay, endDay..<endMinute])
    }

    /// The day that holds an instant, counted from 1970.
    static func day(of instant: Milliseconds) -> Int64 { floor(instant.rawValue, day) / day }

    private static func floor(_ value: Int64, _ grain: Int64) -> Int64 {
        let rest = value % grain
        return value - (rest < 0 ? rest + grain : rest)
    }

    private static func ceiling(_ value: Int64, _ grain: Int64) -> Int64 {
        let floor = floor(value, grain)
        return floor == value ? value : floor + grain
    }
}
