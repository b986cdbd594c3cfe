import Supervisor
import Synchronization

/// Time that moves only when it is told to. Sleepers wake in the order in which they are due.
final class ManualClock: SupervisorClock {
    private struct Sleeper {
        let id: Int
        let due: Int64
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var now: Int64 = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
        var nextID = 0
        var wallOffset: Int64 = 0
    }

    private let state = Mutex(State())

    var nowNanoseconds: Int64 { state.withLock { $0.now } }
    var unixMilliseconds: Int64 { state.withLock { 1_700_000_000_000 + $0.now / 1_000_000 + $0.wallOffset } }

    /// Sets the wall clock back, as an administrator does.
    func setBack(by seconds: Int64) { state.withLock { $0.wallOffset -= seconds * 1_000 } }

    var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    func sleep(until nanoseconds: Int64) async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if nanoseconds <= state.now || state.cancelled.remove(id) != nil { return true }
                    state.sleepers.append(Sleeper(id: id, due: nanoseconds, continuation: continuation))
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume()
        }
    }

    func advance(by seconds: Int64) { advance(milliseconds: seconds * 1_000) }

    func advance(milliseconds: Int64) {
        let due = state.withLock { state in
            state.now += milliseconds * 1_000_000
            let now = state.now
            let due = state.sleepers.filter { $0.due <= now }.sorted { $0.due < $1.due }
            state.sleepers.removeAll { $0.due <= now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    func waitForSleepers(_ count: Int) async { while sleeperCount < count { await Task.yield() } }

    /// Lets other tasks run until somebody sleeps until exactly `seconds` from the start.
    func waitForSleeper(dueAt seconds: Int64) async {
        while !state.withLock({ $0.sleepers.contains { $0.due == seconds * 1_000_000_000 } }) { await Task.yield() }
    }
}
