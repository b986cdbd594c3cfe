public import Accounting
internal import Foundation
internal import GRDB

/// Calls that are to happen once, in the embedded database.
public struct IdempotencyTable: IdempotencyStore {
    private let database: EmbeddedDatabase
    private let holder: String
    private let clock: any AccountingClock

    /// - Parameter holder: names this process; no other process ever has the same.
    public init(_ database: EmbeddedDatabase, holder: String, clock: any AccountingClock) {
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
        return try await write { db in
            if let row = try Self.find(caller, key, db) {
                if row["kept_until"] > times.now.rawValue { return try Self.answer(row, digest: digest, now: times.now, db) }
                try db.execute(sql: "DELETE FROM idempotency_keys WHERE number = ?", arguments: [row["number"] as Int64])
            }
            try db.execute(
                sql: """
                    DELETE FROM idempotency_keys WHERE number IN
                    (SELECT number FROM idempotency_keys WHERE kept_until <= ? ORDER BY kept_until LIMIT ?)
                    """, arguments: [times.now.rawValue, IdempotencyLimits.pruned])
            guard try Self.use(caller, times.now, db).takesBegin else { return .full }
            let token = Int64.random(in: .min ... .max)
            try db.execute(
                sql: """
                    INSERT INTO idempotency_keys (org, project, caller, key, digest, holder, token, claim_ends, kept_until)
                    VALUES (?,?,?,?,?,?,?,?,?)
                    """,
                arguments: [
                    caller.org, caller.project, caller.caller, key.text, digest, holder, token, times.claimEnds.rawValue,
                    times.keptUntil.rawValue,
                ])
            return .new(IdempotencyClaim(caller: caller, key: key, token: token))
        }
    }

    public func finish(_ claim: IdempotencyClaim, outcome: [UInt8]) async throws(IdempotencyError) -> Bool {
        try IdempotencyCheck.outcome(outcome)
        let now = clock.now()
        return try await write { db in
            guard let row = try Self.find(claim.caller, claim.key, db), row["token"] == claim.token else { return false }
            let number: Int64 = row["number"]
            let record = Self.record(row)
            if record.isDone { return try Self.outcome(number, db) == outcome }
            let use = try Self.use(claim.caller, now, db)
            guard use.takesOutcome(bytes: outcome.count, isReserved: record.claimEnds > now) else { return false }
            try db.execute(sql: "INSERT INTO idempotency_outcomes VALUES (?, ?)", arguments: [number, Data(outcome)])
            try db.execute(sql: "UPDATE idempotency_keys SET bytes = ? WHERE number = ?", arguments: [outcome.count, number])
            return true
        }
    }

    @discardableResult
    public func abandon(_ claim: IdempotencyClaim) async throws(IdempotencyError) -> Bool {
        try await write { db in
            try db.execute(
                sql: """
                    DELETE FROM idempotency_keys WHERE org = ? AND project = ? AND caller = ? AND key = ? AND token = ? AND bytes IS NULL
                    """,
                arguments: [claim.caller.org, claim.caller.project, claim.caller.caller, claim.key.text, claim.token])
            return db.changesCount > 0
        }
    }

    private static func find(_ caller: CallerHandle, _ key: IdempotencyKey, _ db: Database) throws -> Row? {
        try Row.fetchOne(
            db, sql: "SELECT * FROM idempotency_keys WHERE org = ? AND project = ? AND caller = ? AND key = ?",
            arguments: [caller.org, caller.project, caller.caller, key.text])
    }

    private static func record(_ row: Row) -> IdempotencyRecord {
        let bytes: Int? = row["bytes"]
        return IdempotencyRecord(
            digest: row["digest"], holder: row["holder"], token: row["token"], claimEnds: Milliseconds(row["claim_ends"]),
            isDone: bytes != nil)
    }

    private static func answer(_ row: Row, digest: String, now: Milliseconds, _ db: Database) throws -> IdempotencyAnswer {
        let record = record(row)
        switch record.answer(digest: digest, now: now) {
        case .done: return .done(try outcome(row["number"], db))
        case .conflict: return .conflict
        case .unknown: return .unknown
        case .inFlight: return .inFlight(owner: record.holder)
        }
    }

    private static func outcome(_ number: Int64, _ db: Database) throws -> [UInt8] {
        let data = try Data.fetchOne(db, sql: "SELECT outcome FROM idempotency_outcomes WHERE number = ?", arguments: [number])
        guard let data else { throw EmbeddedDatabaseError.failed("no outcome of a call that was done") }
        return Array(data)
    }

    private static func use(_ caller: CallerHandle, _ now: Milliseconds, _ db: Database) throws -> IdempotencyUse {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT count(*), coalesce(sum(bytes), 0), count(*) FILTER (WHERE bytes IS NULL AND claim_ends > ?) FROM idempotency_keys
                WHERE org = ? AND project = ? AND caller = ? AND kept_until > ?
                """, arguments: [now.rawValue, caller.org, caller.project, caller.caller, now.rawValue])
        guard let row else { return IdempotencyUse(keys: 0, bytes: 0, reserved: 0) }
        return IdempotencyUse(keys: row[0], bytes: row[1], reserved: row[2])
    }

    private func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(IdempotencyError) -> Value {
        do { return try await database.writeDurably(body) } catch { throw .unavailable(error.description) }
    }
}
