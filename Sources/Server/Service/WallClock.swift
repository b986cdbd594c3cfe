internal import Accounting
internal import Foundation

/// The machine's wall clock in UTC, for Accounting, which has none of its own.
enum WallClock {
    static func now() -> Milliseconds { Milliseconds(Int64(Date().timeIntervalSince1970 * 1_000)) }

    static let accounting = SystemAccountingClock(wall: { now() })
}
