internal import Foundation

/// A time zone of the IANA database other than UTC, by its name: `Europe/Berlin`. A window without one follows UTC.
///
/// Foundation is imported for its `TimeZone` alone: the history of the world's clocks is data that changes several times a year, and
/// reading it is not ours to do. On Linux the data is in Foundation's own library (``databaseVersion``) and not the machine's, so
/// processes of one release agree on every window, whatever `/usr/share/zoneinfo` holds.
public struct CalendarZone: Sendable {
    public let name: String
    private let rules: TimeZone

    /// The edition of the IANA database that windows follow: `2025b`.
    public static var databaseVersion: String { TimeZone.timeZoneDataVersion }

    /// Reads a name as people write it.
    ///
    /// - Returns: nil for UTC under its usual names, and for an empty text.
    /// - Throws: ``CalendarZoneError`` for every other text that is no name of the database.
    public static func named(_ name: String) throws(CalendarZoneError) -> CalendarZone? {
        ["", "UTC", "GMT", "Etc/UTC", "Etc/GMT"].contains(name) ? nil : try CalendarZone(name)
    }

    private init(_ name: String) throws(CalendarZoneError) {
        // Foundation reads more than names (`GMT+0530`, `EST`): here a zone is an area and a place, in the database's own spelling.
        guard name.utf8.count <= AccountingLimits.zoneNameBytes, Self.isPlace(name), let rules = TimeZone(identifier: name),
            rules.identifier == name
        else { throw CalendarZoneError() }
        self.name = name
        self.rules = rules
    }

    /// Nothing that parts names in keys: no colon, space, brace or at sign, and never two slashes in a row.
    private static func isPlace(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count >= 2
            && parts.allSatisfy { part in
                part.utf8.first.map { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 } == true
                    && part.utf8.allSatisfy { byte in
                        switch byte {
                        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"):
                            true
                        default: false
                        }
                    }
            }
    }

    /// What local clocks are ahead of UTC.
    func offset(at instant: Milliseconds) -> Milliseconds {
        Milliseconds(Int64(rules.secondsFromGMT(for: Self.second(of: instant))) * 1_000)
    }

    /// When local clocks change next, after `instant`; nil when they never do again.
    private func change(after instant: Milliseconds) -> Milliseconds? {
        rules.nextDaylightSavingTimeTransition(after: Self.second(of: instant)).map {
            Milliseconds(Int64($0.timeIntervalSince1970.rounded()) * 1_000)
        }
    }

    /// Clocks change on whole seconds, which a `Date` holds exactly; of milliseconds it does not hold all.
    private static func second(of instant: Milliseconds) -> Date {
        Date(timeIntervalSince1970: Double(CivilDate.floorDivide(instant.rawValue, 1_000)))
    }

    /// The first instant whose local date is `date` or a later one.
    ///
    /// Where midnight is struck twice it is the first, where it is left out it is when clocks were put forward, and a day that a
    /// country left out starts, and ends, with the next.
    func start(of date: CivilDate) -> Milliseconds {
        let midnight = date.start
        // No local clock was ever 16 hours from UTC, so this is before the day, and the loop looks at one stretch of constant offset
        // after another until midnight lies in it or before it.
        var stretch = midnight - Self.offsetMax
        while true {
            let candidate = max(stretch, midnight - offset(at: stretch))
            guard let next = change(after: stretch), stretch < next, next <= candidate else { return candidate }
            stretch = next
        }
    }

    /// The day whose span holds `instant`: the last one that has started. Its local date, but for the hours that clocks repeat when
    /// they are put back over midnight: these belong to the day that had begun.
    func date(containing instant: Milliseconds) -> CivilDate {
        var date = CivilDate(containing: instant + offset(at: instant))
        while start(of: date.next) <= instant { date = date.next }
        return date
    }

    private static let offsetMax = Milliseconds(16 * 3_600_000)
}

/// By name alone: two names of one place are two zones, with windows of their own.
extension CalendarZone: Hashable {
    public static func == (one: CalendarZone, other: CalendarZone) -> Bool { one.name == other.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// A text is no time zone's name.
public struct CalendarZoneError: Error, Sendable, Hashable {}
