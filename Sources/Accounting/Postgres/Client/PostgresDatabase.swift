internal import Accounting
internal import NIOPosix
internal import Synchronization

/// A Postgres with our tables: a few connections, each used by one thread at a time, made when they are needed.
///
/// libpq waits, so nothing of it runs on an event loop or in the cooperative pool: a call is handed to one of the database's own
/// threads and awaited. Calls that find no connection are answered at once; the next one after a pause tries to connect. The first
/// connection brings the tables up to date. Safe to use from any task; ``close()`` when done.
public final class PostgresDatabase: Sendable {
    /// A connection. As many as threads, so a call that runs always finds one; the lock is therefore never waited for.
    private final class Lane: Sendable {
        let connection = Mutex(PostgresConnection())
    }

    private struct State {
        /// Indexes of lanes that no thread uses; the one used last is taken first, so that few are kept warm.
        var free: [Int]
        var waiting = 0
        var open = 0
        /// Lanes that had a connection before.
        var opened: Set<Int> = []
        var isClosed = false
        var isMigrated = false
        var gate = PostgresGate()
        var random = SystemRandomNumberGenerator()
    }

    private let url: PostgresURL
    private let lanes: [Lane]
    private let threads: NIOThreadPool
    private let metrics: (any PostgresMetrics)?
    private let state: Mutex<State>
    private let origin = ContinuousClock.now

    /// Connects to nothing yet.
    public init(_ url: PostgresURL, metrics: (any PostgresMetrics)? = nil) {
        self.url = url
        self.metrics = metrics
        lanes = (0..<PostgresLimits.connections).map { _ in Lane() }
        state = Mutex(State(free: Array(lanes.indices)))
        threads = NIOThreadPool(numberOfThreads: PostgresLimits.connections)
        threads.start()
    }

    deinit { threads.shutdownGracefully { _ in } }

    /// Answers when Postgres does and the tables are there, for readiness.
    public func ping() async throws(PostgresError) {
        try await read { (connection) throws(PostgresError) in _ = try connection.query("SELECT 1::bigint") }
    }

    /// Ends the connections once their calls have ended; later calls fail.
    public func close() async {
        state.withLock { $0.isClosed = true }
        await withCheckedContinuation { done in
            // Calls that wait are ended with `.closed`.
            threads.shutdownGracefully { _ in done.resume() }
        }
        for lane in lanes { lane.connection.withLock { $0.close() } }
        state.withLock { state in
            state.open = 0
            metrics?.connectionsChanged(open: 0)
        }
    }

    /// A question: short, and repeated once when the connection was lost, because asking twice is the same as asking once.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        do { return try await call(.read, body) } catch {
            guard case .lost = error else { throw error }
            return try await call(.read, body)
        }
    }

    /// A change, in one transaction: all or nothing. `body` runs again when the transaction loses to another one.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        try await call(.write) { (connection) throws(PostgresError) in try connection.transaction("BEGIN", body) }
    }

    /// A change that survives the loss of power when this returns, whatever the database is set to. A replica that has to have it as well
    /// stays so.
    func writeDurably<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        try await write { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')
                """)
            return try body(&connection)
        }
    }

    /// Statements that are transactions of their own.
    func call<Value: Sendable>(
        _ kind: PostgresCall, _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let started = ContinuousClock.now
        let deadline = now() + Milliseconds(kind.milliseconds)
        let refusal = state.withLock { state -> PostgresError? in
            guard !state.isClosed else { return .closed }
            guard state.waiting < PostgresLimits.waitingMax else { return .overloaded }
            state.waiting += 1
            metrics?.waitingChanged(state.waiting)
            return nil
        }
        if let refusal { throw refusal }
        // Not cancelled with the caller's task: a charge that is under way is not to be left half told.
        let result: Result<Value, PostgresError> = await withCheckedContinuation { continuation in
            threads.submit { [self] work in
                state.withLock { state in
                    state.waiting -= 1
                    metrics?.waitingChanged(state.waiting)
                }
                guard case .active = work else { return continuation.resume(returning: .failure(.closed)) }
                continuation.resume(returning: perform(kind, from: started, until: deadline, body))
            }
        }
        return try result.get()
    }

    // MARK: On a thread of ours

    private func perform<Value: Sendable>(
        _ kind: PostgresCall, from started: ContinuousClock.Instant, until deadline: Milliseconds,
        _ body: @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) -> Result<Value, PostgresError> {
        guard now() < deadline else { return .failure(.overloaded) }
        guard let index = state.withLock({ $0.free.popLast() }) else { return .failure(.overloaded) }
        defer { state.withLock { $0.free.append(index) } }
        return lanes[index].connection.withLock { connection in
            let wasOpen = connection.isOpen
            var hadConnection = false
            defer {
                if connection.isOpen != wasOpen { changeOpen(by: wasOpen ? -1 : 1) }
                if hadConnection { metrics?.ended(kind, after: started.duration(to: .now)) }
            }
            var retries = 0
            while true {
                do throws(PostgresError) {
                    try connect(&connection, lane: index)
                    hadConnection = true
                    connection.limit(milliseconds: max(1, (deadline - now()).rawValue))
                    let value = try body(&connection)
                    answered()
                    return .success(value)
                } catch {
                    guard case .server(let refusal) = error, refusal.isConflict, retries < PostgresLimits.conflictRetries else {
                        return .failure(error)
                    }
                    retries += 1
                }
            }
        }
    }

    /// A connection that survived an outage shows its end as well as a new one does.
    private func answered() {
        state.withLock { state in
            guard state.gate.isShut else { return }
            state.gate.succeeded()
            metrics?.connectionsChanged(open: state.open)
        }
    }

    private func changeOpen(by difference: Int) {
        state.withLock { state in
            state.open += difference
            metrics?.connectionsChanged(open: state.gate.isShut ? 0 : state.open)
        }
    }

    private func connect(_ connection: inout PostgresConnection, lane: Int) throws(PostgresError) {
        connection.closeIfStale()
        guard !connection.isOpen else { return }
        let (attempt, refusal) = state.withLock { ($0.gate.attempt, $0.gate.refusal(now: now())) }
        if let refusal { throw .unreachable(refusal) }
        do throws(PostgresError) {
            connection.limit(milliseconds: PostgresLimits.connectMilliseconds)
            try connection.open(url)
            if !state.withLock({ $0.isMigrated }) {
                connection.limit(milliseconds: PostgresLimits.migrationMilliseconds)
                try PostgresMigrations.apply(to: &connection)
                state.withLock { $0.isMigrated = true }
            }
            let isAgain = state.withLock { state in
                // The first after an outage is one, whichever lane it is.
                let isReturn = state.gate.isShut
                state.gate.succeeded()
                metrics?.connectionsChanged(open: state.open)
                return !state.opened.insert(lane).inserted || isReturn
            }
            if isAgain { metrics?.reconnected() }
        } catch {
            connection.close()
            let reason =
                switch error {
                case .unreachable(let reason), .lost(let reason): reason
                default: error.description
                }
            state.withLock { state in
                var random = state.random
                state.gate.failed(attempt, reason, now: now(), random: &random)
                metrics?.connectionsChanged(open: state.gate.isShut ? 0 : state.open)
            }
            throw .unreachable(reason)
        }
    }

    private func now() -> Milliseconds {
        let (seconds, attoseconds) = (ContinuousClock.now - origin).components
        return Milliseconds(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
    }
}
