public import Accounting

/// Calls that are to happen once, in Postgres.
public struct PostgresIdempotency: IdempotencyStore {
    private let database: PostgresDatabase
    private let holder: String
    private let clock: any AccountingClock

    /// - Parameter holder: names this process; no other process ever has the same.
    public init(_ database: PostgresDatabase, holder: String, clock: any AccountingClock) {
        self.database = database
        self.holder = holder
        self.clock = clock
    }

    public func begin(
        _ caller: CallerHandle, _ key: IdempotencyKey, digest: String, claim: Milliseconds
    ) async throws(IdempotencyError) -> IdempotencyAnswer {
        try IdempotencyCheck.digest(digest)
        let times = try IdempotencyTimes(now: clock.now(), claim: claim)
        let holder = holder
        return try await write(caller) { (connection) throws(PostgresError) in
            if let kept = try Self.find(caller, key, &connection) {
                if kept.keptUntil > times.now { return try Self.answer(kept, digest: digest, now: times.now, &connection) }
                try connection.query("DELETE FROM idempotency_keys WHERE number = $1", [.int(kept.number)])
            }
            // After that nothing of another transaction is waited for: two that remove each other's keys cannot wait in a circle.
            try connection.query(
                """
                DELETE FROM idempotency_keys WHERE number IN (SELECT number FROM idempotency_keys WHERE kept_until <= $1
                ORDER BY kept_until LIMIT $2 FOR UPDATE SKIP LOCKED)
                """, [.int(times.now.rawValue), .int(Int64(IdempotencyLimits.pruned))])
            guard try Self.use(caller, times.now, &connection).takesBegin else { return .full }
            let token = Int64.random(in: .min ... .max)
            try connection.query(
                """
                INSERT INTO idempotency_keys (org, project, caller, key, digest, holder, token, claim_ends, kept_until)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                """,
                Self.names(caller) + [
                    .text(key.text), .text(digest), .text(holder), .int(token), .int(times.claimEnds.rawValue),
                    .int(times.keptUntil.rawValue),
                ])
            return .new(IdempotencyClaim(caller: caller, key: key, token: token))
        }
    }

    public func finish(_ claim: IdempotencyClaim, outcome: [UInt8]) async throws(IdempotencyError) -> Bool {
        try IdempotencyCheck.outcome(outcome)
        let now = clock.now()
        return try await write(claim.caller) { (connection) throws(PostgresError) in
            guard let kept = try Self.find(claim.caller, claim.key, &connection), kept.record.token == claim.token else { return false }
            if kept.record.isDone { return try Self.outcome(kept.number, &connection) == outcome }
            let use = try Self.use(claim.caller, now, &connection)
            guard use.takesOutcome(bytes: outcome.count, isReserved: kept.record.claimEnds > now) else { return false }
            // Another begin may have removed the key since, if it was kept long enough: then nothing is changed.
            let changed = try connection.query(
                "UPDATE idempotency_keys SET bytes = $2 WHERE number = $1", [.int(kept.number), .int(Int64(outcome.count))])
            guard changed.affected > 0 else { return false }
            try connection.query("INSERT INTO idempotency_outcomes VALUES ($1, $2)", [.int(kept.number), .bytes(outcome)])
            return true
        }
    }

    @discardableResult
    public func abandon(_ claim: IdempotencyClaim) async throws(IdempotencyError) -> Bool {
        try await write(claim.caller) { (connection) throws(PostgresError) in
            try connection.query(
                """
                DELETE FROM idempotency_keys WHERE org = $1 AND project = $2 AND caller = $3 AND key = $4 AND token = $5 AND bytes IS NULL
                """, Self.names(claim.caller) + [.text(claim.key.text), .int(claim.token)]
            ).affected > 0
        }
    }

    /// Changes of one caller take turns, so that its limits are exact and a key has one claim.
    private func write<Value: Sendable>(
        _ caller: CallerHandle, _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(IdempotencyError) -> Value {
        let lock = "kdcube.idempotency/\(caller.org)/\(caller.project)/\(caller.caller)"
        do throws(PostgresError) {
            return try await database.writeDurably { (connection) throws(PostgresError) in
                try connection.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [.text(lock)])
                return try body(&connection)
            }
        } catch {
            throw .unavailable(error.description)
        }
    }
}

/// The statements behind it.
extension PostgresIdempotency {
    private struct Kept {
        let number: Int64
        let record: IdempotencyRecord
        let keptUntil: Milliseconds
    }

    /// `$1` to `$3` of every statement.
    private static func names(_ caller: CallerHandle) -> [PostgresValue] {
        [.org(caller.org), .text(caller.project), .text(caller.caller)]
    }

    private static func find(
        _ caller: CallerHandle, _ key: IdempotencyKey, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> Kept? {
        try connection.query(
            """
            SELECT number, digest, holder, token, claim_ends, kept_until, bytes FROM idempotency_keys
            WHERE org = $1 AND project = $2 AND caller = $3 AND key = $4
            """, names(caller) + [.text(key.text)]
        ).map { row throws(PostgresError) in
            let record = IdempotencyRecord(
                digest: try row.text(1), holder: try row.text(2), token: try row.int(3), claimEnds: Milliseconds(try row.int(4)),
                isDone: try row.optionalInt(6) != nil)
            return Kept(number: try row.int(0), record: record, keptUntil: Milliseconds(try row.int(5)))
        }.first
    }

    private static func answer(
        _ kept: Kept, digest: String, now: Milliseconds, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> IdempotencyAnswer {
        switch kept.record.answer(digest: digest, now: now) {
        case .done: .done(try outcome(kept.number, &connection))
        case .conflict: .conflict
        case .unknown: .unknown
        case .inFlight: .inFlight(owner: kept.record.holder)
        }
    }

    private static func outcome(_ number: Int64, _ connection: inout PostgresConnection) throws(PostgresError) -> [UInt8] {
        let rows = try connection.query("SELECT outcome FROM idempotency_outcomes WHERE number = $1", [.int(number)])
        guard let row = rows.first else { throw .malformed("no outcome of a call that was done") }
        return try row.bytes(0)
    }

    private static func use(
        _ caller: CallerHandle, _ now: Milliseconds, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> IdempotencyUse {
        let rows = try connection.query(
            """
            SELECT count(*), coalesce(sum(bytes), 0)::bigint, count(*) FILTER (WHERE bytes IS NULL AND claim_ends > $4)
            FROM idempotency_keys WHERE org = $1 AND project = $2 AND caller = $3 AND kept_until > $4
            """, names(caller) + [.int(now.rawValue)])
        guard let row = rows.first else { throw .malformed("no sum of keys") }
        return IdempotencyUse(keys: Int(try row.int(0)), bytes: Int(try row.int(1)), reserved: Int(try row.int(2)))
    }
}
