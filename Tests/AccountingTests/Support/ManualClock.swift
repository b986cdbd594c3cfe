import Accounting
import Glibc
import Synchronization

/// Time that moves when a test says so. A sleep only gives way to other tasks.
final class ManualClock: AccountingClock {
    private let time: Mutex<Milliseconds>

    /// 2026-11-23T12:00:00Z unless told otherwise; a Monday.
    init(_ start: Milliseconds = ManualClock.monday) { time = Mutex(start) }

    static let monday = Milliseconds(1_795_435_200_000)

    func now() -> Milliseconds { time.withLock { $0 } }
    func monotonic() -> Milliseconds { time.withLock { $0 } }

    func advance(_ span: Milliseconds) { time.withLock { $0 = $0 + span } }

    func sleep(_ duration: Milliseconds) async {
        await Task.yield()
    }
}

/// The machine's wall clock, for tests beside real servers.
enum SystemTime {
    @Sendable static func now() -> Milliseconds {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Milliseconds(Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
