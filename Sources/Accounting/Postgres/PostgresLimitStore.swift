public import Accounting

/// What policies limit, in Postgres: one statement for each call (`Migrations/v15_policies.sql`), so that counters are held no longer than
/// a commit takes.
public struct PostgresLimitStore: LimitStore {
    private let database: PostgresDatabase
    private let clock: any AccountingClock

    public init(_ database: PostgresDatabase, clock: any AccountingClock) {
        self.database = database
        self.clock = clock
    }

    public func reserve(org: OrgID, reservation: String, takes: [LimitTake]) async throws(LimitStoreError) -> LimitOutcome {
        let plan = try LimitPlan(org: org, reservation: reservation, takes: takes, at: clock.now())
        let values: [PostgresValue] = [
            .org(org), .text(reservation), .texts(plan.lines.map(\.id)), .ints(plan.lines.map(\.amount)), .ints(plan.lines.map(\.cap)),
            .ints(plan.lines.map(\.start.rawValue)), .ints(plan.lines.map(\.end.rawValue)), .int(plan.now.rawValue),
            .int(PolicyStoreLimits.reservationRetention.rawValue), .int(Int64(PolicyStoreLimits.pruned)),
        ]
        let rows = try await call(.write) { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT answer, limit_id, now_used, resets_at FROM limit_reserve($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", values
            ).map { row throws(PostgresError) in
                (try row.text(0), try row.text(1), try Self.count(used: row.int(2), end: row.int(3)))
            }
        }
        switch rows.first?.0 {
        case nil where plan.lines.isEmpty, "reserved":
            return plan.outcome(rows.map { LimitTaken(id: $0.1, amount: 0, count: $0.2) })
        case "exceeded":
            guard let outcome = plan.exceeded(rows.map { $0.2.shown($0.1) }) else { throw .unavailable("an unknown limit is exceeded") }
            return outcome
        case "taken": throw .reservationTaken
        default: throw .unavailable("Postgres answered something unexpected to a reservation")
        }
    }

    public func refund(org: OrgID, reservation: String) async throws(LimitStoreError) {
        try LimitCheck.id(reservation, "reservation")
        let values: [PostgresValue] = [.org(org), .text(reservation)]
        try await call(.write) { (connection) throws(PostgresError) in
            _ = try connection.query("SELECT limit_refund($1, $2)::text", values)
        }
    }

    public func uses(org: OrgID, ids: [String]) async throws(LimitStoreError) -> [LimitUse] {
        try LimitCheck.ids(ids)
        let (now, values): (Milliseconds, [PostgresValue]) = (clock.now(), [.org(org), .texts(ids)])
        let found = try await call(.read) { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT id, used, ends_at FROM limit_counts WHERE org = $1 AND id = ANY ($2::text[])", values
            ).map { row throws(PostgresError) in (try row.text(0), try Self.count(used: row.int(1), end: row.int(2))) }
        }
        let counts = Dictionary(found, uniquingKeysWith: { one, _ in one })
        return ids.map { counts[$0]?.use($0, at: now) ?? LimitUse(id: $0, used: 0, resetsAt: nil) }
    }

    private static func count(used: Int64, end: Int64) -> LimitCount {
        LimitCount(start: Milliseconds(0), end: Milliseconds(end), used: used)
    }

    private func call<Value: Sendable>(
        _ kind: PostgresCall, _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(LimitStoreError) -> Value {
        do { return try await database.call(kind, body) } catch { throw .unavailable(error.description) }
    }
}
