internal import Synchronization

/// Lets the calls of one session be recorded one after another: each with a decision that knows those before it. Without it, sixteen calls
/// at once would each find that none was made.
///
/// Of one server; a run's calls are made at one. Bounded by the calls in flight. Safe to use from any thread; state is in a `Mutex`.
final class SessionTurns: Sendable {
    struct Session: Sendable, Hashable {
        let org: OrgID
        let project: String
        /// Of a key that is bound to no user the key.
        let user: String
        /// The run where there is none.
        let conversation: String

        init(_ caller: CallerIdentity) {
            org = caller.org
            project = caller.project
            user = caller.user.isEmpty ? "/\(caller.key ?? "")" : caller.user
            conversation = caller.conversation.map { "conversation \($0)" } ?? "run \(caller.run)"
        }
    }

    private struct Entry {
        /// Calls between ``begin(_:)`` and ``end(_:)``.
        var calls = 0
        var recorded = 0
        var isTaken = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let entries = Mutex<[Session: Entry]>([:])

    func begin(_ session: Session) { entries.withLock { $0[session, default: Entry()].calls += 1 } }

    func end(_ session: Session) {
        entries.withLock { entries in
            guard var entry = entries[session] else { preconditionFailure("a session ended that had not begun") }
            entry.calls -= 1
            entries[session] = entry.calls > 0 ? entry : nil
        }
    }

    /// How many calls were recorded since the session has calls: a decision that is as old as another number is out of date.
    func recorded(in session: Session) -> Int { entries.withLock { $0[session]?.recorded ?? 0 } }

    /// Waits for the turn, also when the task is cancelled: whoever has it only writes a record.
    func take(_ session: Session) async {
        await withCheckedContinuation { continuation in
            let isFree = entries.withLock { entries in
                guard entries[session, default: Entry()].isTaken else {
                    entries[session, default: Entry()].isTaken = true
                    return true
                }
                entries[session]?.waiters.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    /// - Parameter hasRecorded: whether a call was recorded, or may have been.
    func give(_ session: Session, hasRecorded: Bool) {
        let next = entries.withLock { entries -> CheckedContinuation<Void, Never>? in
            if hasRecorded { entries[session]?.recorded += 1 }
            guard entries[session]?.waiters.isEmpty == false else {
                entries[session]?.isTaken = false
                return nil
            }
            return entries[session]?.waiters.removeFirst()
        }
        next?.resume()
    }
}
