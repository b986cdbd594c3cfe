/// A time in milliseconds: an instant counted from 1970-01-01T00:00:00Z, or a span. Which one is in the name.
public struct Milliseconds: Sendable, Hashable, Comparable, Codable {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    public static func < (left: Milliseconds, right: Milliseconds) -> Bool { left.rawValue < right.rawValue }
    public static func + (left: Milliseconds, right: Milliseconds) -> Milliseconds { Milliseconds(left.rawValue + right.rawValue) }
    public static func - (left: Milliseconds, right: Milliseconds) -> Milliseconds { Milliseconds(left.rawValue - right.rawValue) }

    /// The instant in RFC 3339, whole seconds: `2026-11-24T00:00:00Z`.
    public var rfc3339: String {
        let date = CivilDate(containing: self)
        let second = CivilDate.floorDivide(rawValue, 1000) - date.daysSinceEpoch * 86_400
        let clock = [second / 3600, second / 60 % 60, second % 60].map { CivilDate.padded($0, 2) }
        return "\(date.text)T\(clock.joined(separator: ":"))Z"
    }
}
