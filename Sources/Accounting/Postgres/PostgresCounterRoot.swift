public import Accounting

/// The lives of counters in Postgres, beside the ledger that refuses rows of those that ended. Its clock decides who is silent.
public struct PostgresCounterRoot: CounterRoot {
    let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func life(org: CounterSlot) async throws(LedgerStoreError) -> EpochState? {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                let rows = try connection.query("SELECT number, incarnation, cleared FROM epochs WHERE org = $1", [.counters(org)])
                return try rows.first.map { row throws(PostgresError) in try Self.state(row) }
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func seal(org: CounterSlot, incarnation: String, after known: Int64) async throws(LedgerStoreError) -> EpochState {
        try await write { (connection) throws(PostgresError) in
            // Two processes that find a first life missing at the same time both try to begin it.
            try connection.query(
                "INSERT INTO epochs VALUES ($1, 1, $2, true) ON CONFLICT (org) DO NOTHING", [.counters(org), .text(incarnation)])
            guard let last = try Self.current(org, &connection) else { throw .malformed("no life of an org") }
            guard last.epoch.incarnation != incarnation, last.epoch.number == known else { return last }
            let next = Epoch(number: last.epoch.number + 1, incarnation: incarnation)
            try connection.query(
                "UPDATE epochs SET number = $2, incarnation = $3, cleared = false WHERE org = $1",
                [.counters(org), .int(next.number), .text(incarnation)])
            try connection.query("DELETE FROM confirmations WHERE org = $1", [.counters(org)])
            return EpochState(epoch: next, isCleared: false)
        }
    }

    public func leave(_ holder: LeaseHolder) async throws(LedgerStoreError) {
        try await write { (connection) throws(PostgresError) in
            _ = try connection.query("DELETE FROM holders WHERE node = $1 AND fence = $2", [.text(holder.node), .int(holder.fence)])
        }
    }

    public func beat(_ holder: LeaseHolder) async throws(LedgerStoreError) {
        try await write { (connection) throws(PostgresError) in
            try connection.query(
                """
                INSERT INTO holders VALUES ($1, $2, clock_timestamp())
                ON CONFLICT (node, fence) DO UPDATE SET seen_at = excluded.seen_at
                """, [.text(holder.node), .int(holder.fence)])
            for table in ["releases", "slot_releases"] {
                try connection.query(
                    "DELETE FROM \(table) WHERE ends_at < extract(epoch FROM clock_timestamp()) * 1000 - $1",
                    [.int(AccountingLimits.windowRetention.rawValue)])
            }
        }
    }

    public func pending() async throws(LedgerStoreError) -> [CounterSlot: Epoch] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                let rows = try connection.query("SELECT org, number, incarnation FROM epochs WHERE NOT cleared")
                let lives = try rows.map { row throws(PostgresError) in
                    (try row.counters(0), Epoch(number: try row.int(1), incarnation: try row.text(2)))
                }
                return Dictionary(lives) { first, _ in first }
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func awaited(org: CounterSlot) async throws(LedgerStoreError) -> [LeaseHolder] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try connection.query(
                    """
                    SELECT node, fence FROM holders WHERE EXISTS (SELECT FROM epochs WHERE org = $1 AND NOT cleared) AND NOT EXISTS
                    (SELECT FROM confirmations c WHERE c.org = $1 AND c.node = holders.node AND c.fence = holders.fence)
                    ORDER BY node, fence
                    """, [.counters(org)]
                ).map { row throws(PostgresError) in LeaseHolder(node: try row.text(0), fence: try row.int(1)) }
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func confirm(
        org: CounterSlot, epoch: Epoch, holder: LeaseHolder
    ) async throws(LedgerStoreError) -> Bool {
        try await write { (connection) throws(PostgresError) in
            guard let current = try Self.current(org, &connection), current.epoch == epoch else { return false }
            if current.isCleared { return true }
            try connection.query(
                "INSERT INTO confirmations VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                [.counters(org), .text(holder.node), .int(holder.fence)])
            let silent = try connection.query(
                """
                SELECT count(*) FROM holders WHERE NOT EXISTS (SELECT FROM confirmations c WHERE c.org = $1 AND c.node = holders.node AND c.fence = holders.fence)
                """, [.counters(org)])
            guard try silent.first?.int(0) == 0 else { return false }
            try connection.query("UPDATE epochs SET cleared = true WHERE org = $1", [.counters(org)])
            return true
        }
    }

    /// The life of an org, locked until the transaction ends.
    private static func current(_ org: CounterSlot, _ connection: inout PostgresConnection) throws(PostgresError) -> EpochState? {
        let row = try connection.query("SELECT number, incarnation, cleared FROM epochs WHERE org = $1 FOR UPDATE", [.counters(org)]).first
        return try row.map { row throws(PostgresError) in try state(row) }
    }

    private static func state(_ row: PostgresRows.Row) throws(PostgresError) -> EpochState {
        EpochState(epoch: Epoch(number: try row.int(0), incarnation: try row.text(1)), isCleared: try row.bool(2))
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(LedgerStoreError) -> Value {
        do throws(PostgresError) { return try await database.write(body) } catch { throw LedgerStoreError(error) }
    }
}
