public import Accounting
internal import GRDB

/// What policies limit, in the embedded database.
public struct LimitTable: LimitStore {
    private let database: EmbeddedDatabase
    private let clock: any AccountingClock

    public init(_ database: EmbeddedDatabase, clock: any AccountingClock) {
        self.database = database
        self.clock = clock
    }

    public func reserve(org: OrgID, reservation: String, takes: [LimitTake]) async throws(LimitStoreError) -> LimitOutcome {
        let plan = try LimitPlan(org: org, reservation: reservation, takes: takes, at: clock.now())
        let outcome = try await write { db -> LimitOutcome? in
            let known = try Bool.fetchOne(
                db, sql: "SELECT is_refunded FROM limit_reservations WHERE org = ? AND reservation = ?", arguments: [org, reservation])
            if let isRefunded = known {
                let taken = try Self.taken(org, reservation, db)
                return !isRefunded && plan.isSame(as: taken) ? plan.outcome(taken) : nil
            }
            switch plan.decide(try Self.counts(org, plan.lines.map(\.id), db)) {
            case .exceeded(let use): return .exceeded(use)
            case .taken(let taken):
                try Self.insert(taken, org, reservation, at: plan.now, db)
                try Self.prune(at: plan.now, db)
                return plan.outcome(taken)
            }
        }
        guard let outcome else { throw .reservationTaken }
        return outcome
    }

    public func refund(org: OrgID, reservation: String) async throws(LimitStoreError) {
        try LimitCheck.id(reservation, "reservation")
        try await write { db in
            try db.execute(
                sql: "UPDATE limit_reservations SET is_refunded = 1 WHERE org = ? AND reservation = ? AND is_refunded = 0",
                arguments: [org, reservation])
            guard db.changesCount > 0 else { return }
            let statement = try db.cachedStatement(
                sql: "UPDATE limit_counts SET used = used - ? WHERE org = ? AND id = ? AND window_start = ?")
            for one in try Self.taken(org, reservation, db) {
                try statement.execute(arguments: [one.amount, org, one.id, one.count.start.rawValue])
            }
        }
    }

    public func uses(org: OrgID, ids: [String]) async throws(LimitStoreError) -> [LimitUse] {
        try LimitCheck.ids(ids)
        let now = clock.now()
        do throws(EmbeddedDatabaseError) {
            let counts = try await database.read { db in try Self.counts(org, ids, db) }
            return ids.map { counts[$0]?.use($0, at: now) ?? LimitUse(id: $0, used: 0, resetsAt: nil) }
        } catch {
            throw .unavailable(error.description)
        }
    }

    private func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(LimitStoreError) -> Value {
        do { return try await database.writeDurably(body) } catch { throw .unavailable(error.description) }
    }
}

/// Rows in and out of SQL.
extension LimitTable {
    private static func count(_ row: Row) -> LimitCount {
        LimitCount(start: Milliseconds(row["window_start"]), end: Milliseconds(row["ends_at"]), used: row["used"])
    }

    private static func counts(_ org: OrgID, _ ids: [String], _ db: Database) throws -> [String: LimitCount] {
        let statement = try db.cachedStatement(sql: "SELECT window_start, ends_at, used FROM limit_counts WHERE org = ? AND id = ?")
        var counts: [String: LimitCount] = [:]
        for id in ids { counts[id] = try Row.fetchOne(statement, arguments: [org, id]).map(count) }
        return counts
    }

    private static func taken(_ org: OrgID, _ reservation: String, _ db: Database) throws -> [LimitTaken] {
        try Row.fetchAll(
            db, sql: "SELECT id, amount, window_start, ends_at, used FROM limit_takes WHERE org = ? AND reservation = ?",
            arguments: [org, reservation]
        ).map { row in LimitTaken(id: row["id"], amount: row["amount"], count: count(row)) }
    }

    private static func insert(
        _ taken: [LimitTaken], _ org: OrgID, _ reservation: String, at now: Milliseconds, _ db: Database
    ) throws {
        try db.execute(
            sql: "INSERT INTO limit_reservations VALUES (?, ?, ?, 0)", arguments: [org, reservation, now.rawValue])
        let counts = try db.cachedStatement(sql: "INSERT OR REPLACE INTO limit_counts VALUES (?, ?, ?, ?, ?)")
        let takes = try db.cachedStatement(sql: "INSERT INTO limit_takes VALUES (?, ?, ?, ?, ?, ?, ?)")
        for one in taken {
            let (start, end) = (one.count.start.rawValue, one.count.end.rawValue)
            try counts.execute(arguments: [org, one.id, start, end, one.count.used])
            try takes.execute(arguments: [org, reservation, one.id, one.amount, start, end, one.count.used])
        }
    }

    private static func prune(at now: Milliseconds, _ db: Database) throws {
        let before = (now - PolicyStoreLimits.reservationRetention).rawValue
        try db.execute(
            sql: """
                DELETE FROM limit_reservations WHERE (org, reservation) IN
                (SELECT org, reservation FROM limit_reservations WHERE at <= ? ORDER BY at LIMIT ?)
                """, arguments: [before, PolicyStoreLimits.pruned])
        try db.execute(
            sql: """
                DELETE FROM limit_counts WHERE (org, id) IN
                (SELECT org, id FROM limit_counts WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)
                """, arguments: [before, PolicyStoreLimits.pruned])
    }
}
