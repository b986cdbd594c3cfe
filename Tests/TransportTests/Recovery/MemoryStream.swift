import JSON
import Synchronization
import Transport

/// A stream in memory that several servers read: what one sends all have read before it goes on. A `Mutex` guards it.
final class MemoryStream: Sendable {
    private struct State {
        var number: UInt64 = 0
        var entries: [RecoveryReading] = []
        var sessions: [SessionID: RecoverySession] = [:]
        var receivers: [(end: Int, receive: @Sendable ([RecoveryReading]) -> Void)] = []
        var isAway = false
    }

    private let state = Mutex(State())

    /// One server's end.
    func end() -> End { End(self) }

    /// While it is away nothing is taken and nothing answered.
    var isAway: Bool {
        get { state.withLock { $0.isAway } }
        set { state.withLock { $0.isAway = newValue } }
    }

    func session(_ pid: SessionID) -> RecoverySession? { state.withLock { $0.sessions[pid] } }
    func put(_ session: RecoverySession) { state.withLock { $0.sessions[session.pid] = session } }
    var sessionCount: Int { state.withLock { $0.sessions.count } }

    /// Hands it to all but one end, in one order.
    @discardableResult
    func add(except: Int? = nil, _ reading: (RecoveryOffset) -> RecoveryReading) -> RecoveryOffset? {
        state.withLock { state in
            guard !state.isAway else { return nil }
            state.number += 1
            let offset = RecoveryOffset(millisecond: 1_700_000_000_000 + state.number / 4, number: state.number % 4)
            let reading = reading(offset)
            state.entries.append(reading)
            for receiver in state.receivers { receiver.receive([receiver.end == except ? .passed(offset) : reading]) }
            return offset
        }
    }

    final class End: RecoveringCluster, RecoveryStream {
        private static let ends = Atomic<Int>(0)
        private let stream: MemoryStream
        private let number = End.ends.add(1, ordering: .relaxed).newValue

        init(_ stream: MemoryStream) { self.stream = stream }

        // MARK: ClusterPort

        var recoveryStream: any RecoveryStream { self }
        func ask(_ question: ClusterQuestion, namespace: String, timeout: Duration) async -> ClusterAnswers { ClusterAnswers() }
        /// What does not go by the stream reaches nobody here.
        func send(_ command: ClusterCommand, namespace: String) {}

        // MARK: RecoveryStream

        func open(duration: Duration, retention: Duration, receiver: @escaping @Sendable ([RecoveryReading]) -> Void) {
            stream.state.withLock { state in
                // What was said before is for those who come back.
                receiver([.begins(RecoveryOffset(millisecond: 1_700_000_000_000, number: 0))])
                receiver(
                    state.entries.map { reading in
                        guard case .command(let command, let namespace, let offset, _) = reading else { return reading }
                        return .command(command, namespace: namespace, offset, isLive: false)
                    })
                state.receivers.append((number, receiver))
            }
        }

        var isReady: Bool { !stream.isAway }

        func send(_ command: ClusterCommand, namespace: String) -> Bool {
            stream.add { .command(command, namespace: namespace, $0, isLive: true) } != nil
        }

        func afterSent(_ body: @escaping @Sendable () -> Void) { body() }

        func keep(_ session: RecoverySession, _ mode: RecoverySession.Mode) {
            stream.state.withLock { state in
                if mode == .create || state.sessions[session.pid] != nil { state.sessions[session.pid] = session }
            }
        }

        func forget(_ pid: SessionID) { stream.state.withLock { $0.sessions[pid] = nil } }

        func find(_ pid: SessionID) async throws(RecoveryStreamFault) -> RecoverySession? {
            if stream.isAway { throw RecoveryStreamFault() }
            return stream.session(pid)
        }

        func take(_ pid: SessionID) async throws(RecoveryStreamFault) -> (session: RecoverySession, place: RecoveryOffset)? {
            if stream.isAway { throw RecoveryStreamFault() }
            guard let session = stream.state.withLock({ $0.sessions.removeValue(forKey: pid) }) else { return nil }
            guard let place = stream.add(except: number, { .taken(session.id, $0) }) else { throw RecoveryStreamFault() }
            return (session, place)
        }
    }
}
