public import Accounting
internal import GRDB

/// The lives of counters beside the embedded ledger, for a server whose counters are in Redis.
public struct SQLiteCounterRoot: CounterRoot {
    let database: EmbeddedDatabase
    private let clock: any AccountingClock

    public init(_ database: EmbeddedDatabase, clock: any AccountingClock) {
        self.database = database
        self.clock = clock
    }

    public func life(org: CounterSlot) async throws(LedgerStoreError) -> EpochState? {
        do { return try await database.read { db in try EpochRecord.current(org, db) } } catch { throw .failed(error.description) }
    }

    public func seal(org: CounterSlot, incarnation: String, after known: Int64) async throws(LedgerStoreError) -> EpochState {
        try await write { db in
            let last = try EpochRecord.current(org, db)
            if let last, last.epoch.incarnation == incarnation || last.epoch.number != known { return last }
            let next = EpochState(
                epoch: Epoch(number: (last?.epoch.number ?? 0) + 1, incarnation: incarnation), isCleared: last == nil)
            try db.execute(
                sql: """
                    INSERT INTO epochs (org, number, incarnation, cleared) VALUES (?,?,?,?) ON CONFLICT (org) DO UPDATE SET
                    number = excluded.number, incarnation = excluded.incarnation, cleared = excluded.cleared
                    """, arguments: [org, next.epoch.number, incarnation, next.isCleared])
            try db.execute(sql: "DELETE FROM confirmations WHERE org = ?", arguments: [org])
            return next
        }
    }

    public func leave(_ holder: LeaseHolder) async throws(LedgerStoreError) {
        try await write { db in
            try db.execute(sql: "DELETE FROM holders WHERE node = ? AND fence = ?", arguments: [holder.node, holder.fence])
        }
    }

    public func beat(_ holder: LeaseHolder) async throws(LedgerStoreError) {
        let now = clock.now()
        try await write { db in
            try db.execute(
                sql: "INSERT INTO holders VALUES (?,?,?) ON CONFLICT (node, fence) DO UPDATE SET seen_at = excluded.seen_at",
                arguments: [holder.node, holder.fence, now.rawValue])
            for table in ["releases", "slot_releases"] {
                try db.execute(
                    sql: "DELETE FROM \(table) WHERE ends_at < ?", arguments: [(now - AccountingLimits.windowRetention).rawValue])
            }
        }
    }

    public func pending() async throws(LedgerStoreError) -> [CounterSlot: Epoch] {
        do {
            return try await database.read { db in
                let rows = try Row.fetchAll(db, sql: "SELECT org, number, incarnation FROM epochs WHERE NOT cleared")
                return Dictionary(
                    uniqueKeysWithValues: try rows.map { (try $0.counters, Epoch(number: $0["number"], incarnation: $0["incarnation"])) })
            }
        } catch {
            throw .failed(error.description)
        }
    }

    public func awaited(org: CounterSlot) async throws(LedgerStoreError) -> [LeaseHolder] {
        do {
            return try await database.read { db in
                let rows = try Row.fetchAll(
                    db,
                    sql: """
                        SELECT node, fence FROM holders WHERE EXISTS (SELECT 1 FROM epochs WHERE org = ? AND NOT cleared) AND NOT EXISTS
                        (SELECT 1 FROM confirmations c WHERE c.org = ? AND c.node = holders.node AND c.fence = holders.fence)
                        ORDER BY node, fence
                        """, arguments: [org, org])
                return rows.map { LeaseHolder(node: $0["node"], fence: $0["fence"]) }
            }
        } catch {
            throw .failed(error.description)
        }
    }

    public func confirm(
        org: CounterSlot, epoch: Epoch, holder: LeaseHolder
    ) async throws(LedgerStoreError) -> Bool {
        try await write { db in
            guard let current = try EpochRecord.current(org, db), current.epoch == epoch else { return false }
            if current.isCleared { return true }
            try db.execute(
                sql: "INSERT INTO confirmations VALUES (?,?,?) ON CONFLICT DO NOTHING", arguments: [org, holder.node, holder.fence])
            let silent = try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM holders WHERE NOT EXISTS (SELECT 1 FROM confirmations
                    WHERE org = ? AND confirmations.node = holders.node AND confirmations.fence = holders.fence)
                    """, arguments: [org])
            guard silent == 0 else { return false }
            try db.execute(sql: "UPDATE epochs SET cleared = 1 WHERE org = ?", arguments: [org])
            return true
        }
    }

    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(LedgerStoreError) -> Value {
        do { return try await database.write(body) } catch { throw .failed(error.description) }
    }
}

/// The life of counters in SQL.
enum EpochRecord {
    static func current(_ org: CounterSlot, _ db: Database) throws -> EpochState? {
        try Row.fetchOne(db, sql: "SELECT number, incarnation, cleared FROM epochs WHERE org = ?", arguments: [org]).map {
            EpochState(epoch: Epoch(number: $0["number"], incarnation: $0["incarnation"]), isCleared: $0["cleared"])
        }
    }
}
