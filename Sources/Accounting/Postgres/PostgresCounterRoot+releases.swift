public import Accounting

/// How the slots of an org share each window's cap.
///
/// A release of a slot is decided by what all slots were given, so those who change anything of a window do it one after another.
extension PostgresCounterRoot {
    public func release(
        _ window: WindowRef, org: CounterSlot, incarnation: String, upTo target: Int64, shares: [Int: Int64]
    ) async throws(LedgerStoreError) -> Release? {
        let slot = org.index
        return try await write { (connection) throws(PostgresError) in
            let life = try Self.life(org, changing: target > 0 ? window : nil, &connection)
            guard let life, life.incarnation == incarnation else { return nil }
            var releases = SlotReleases(try Self.entries(window, &connection))
            let isFirst = releases.entries.isEmpty
            let changed = releases.raise(slot, to: target, cap: window.cap, shares: shares)
            for slot in changed { try Self.keep(releases[slot], of: window, slot: slot, &connection) }
            let given = releases[slot]
            return Release(released: given.released, turn: given.turn, isCleared: life.isCleared, isFirst: isFirst)
        }
    }

    public func releases(_ window: WindowRef) async throws(LedgerStoreError) -> [Int: Int64] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try Self.entries(window, &connection).mapValues(\.released)
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func beginRecall(_ window: WindowRef, org: CounterSlot, incarnation: String) async throws(LedgerStoreError) -> Int64? {
        let table = Table(slot: org.index)
        return try await write { (connection) throws(PostgresError) in
            let life = try Self.life(org, changing: window, &connection)
            guard let life, life.incarnation == incarnation else { return nil }
            return try connection.query(
                "UPDATE \(table.name) SET turn = turn + 1 WHERE window_key = $1 AND generation = $2\(table.filter(3)) RETURNING turn",
                Self.name(window) + table.slot
            ).first?.int(0)
        }
    }

    public func endRecall(_ window: WindowRef, org: CounterSlot, turn: Int64, released: Int64) async throws(LedgerStoreError) {
        let table = Table(slot: org.index)
        try await write { (connection) throws(PostgresError) in
            try connection.query("SELECT \(Self.lock)", Self.name(window))
            _ = try connection.query(
                """
                UPDATE \(table.name) SET released = $4 WHERE window_key = $1 AND generation = $2 AND turn = $3 AND released > $4
                \(table.filter(5))
                """, Self.name(window) + [.int(turn), .int(max(0, released))] + table.slot)
        }
    }

    public func slots(org: OrgID) async throws(LedgerStoreError) -> [Int] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                // Bytewise: what begins with `acme/` is from that on and before `acme0`, the next byte after the slash.
                let names = try connection.query(
                    "SELECT org FROM epochs WHERE org = $1 OR org >= $1 || '/' AND org < $1 || '0'", [.org(org)]
                ).map { row throws(PostgresError) in try row.counters(0) }
                return names.filter { $0.org == org }.map(\.index).sorted()
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func everySlot() async throws(LedgerStoreError) -> [CounterSlot] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try connection.query("SELECT org FROM epochs ORDER BY org").map { row throws(PostgresError) in try row.counters(0)
                }
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    // MARK: Statements

    /// Where a slot's row is: slot 0 has the table that was there before the slots, without their column.
    private struct Table {
        let name: String
        /// The slot's value, where there is a column for it.
        let slot: [PostgresValue]

        init(slot: Int) {
            name = slot > 0 ? "slot_releases" : "releases"
            self.slot = slot > 0 ? [.int(Int64(slot))] : []
        }

        func filter(_ parameter: Int) -> String { slot.isEmpty ? "" : " AND slot = $\(parameter)" }
    }

    /// Held until the transaction ends. Not the rows' own locks: the first release of a window has no row to lock.
    private static let lock = "pg_advisory_xact_lock(hashtextextended('kdcube.release ' || $1 || ' ' || $2::int8, 0))::text"

    private static func name(_ window: WindowRef) -> [PostgresValue] { [.text(window.key.text), .int(window.generation)] }

    /// The present life of the counters, which is not sealed before the transaction ends. Shared with other releases.
    ///
    /// - Parameter window: locked too, by the same statement; nil when nothing of a window will be changed.
    private static func life(
        _ org: CounterSlot, changing window: WindowRef?, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> (incarnation: String, isCleared: Bool)? {
        let rows =
            if let window {
                try connection.query(
                    "SELECT incarnation, cleared, \(lock) FROM epochs WHERE org = $3 FOR SHARE", name(window) + [.counters(org)])
            } else {
                try connection.query("SELECT incarnation, cleared FROM epochs WHERE org = $1 FOR SHARE", [.counters(org)])
            }
        return try rows.first.map { row throws(PostgresError) in (try row.text(0), try row.bool(1)) }
    }

    private static func entries(
        _ window: WindowRef, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> [Int: SlotReleases.Entry] {
        let rows = try connection.query(
            "SELECT slot::int8, released, turn FROM all_releases WHERE window_key = $1 AND generation = $2", name(window))
        let entries = try rows.map { row throws(PostgresError) in
            (Int(try row.int(0)), SlotReleases.Entry(released: try row.int(1), turn: try row.int(2)))
        }
        return Dictionary(entries) { first, _ in first }
    }

    /// The greater of what was decided and what is there: a server of the release before raises slot 0 without our lock.
    private static func keep(
        _ entry: SlotReleases.Entry, of window: WindowRef, slot: Int, _ connection: inout PostgresConnection
    ) throws(PostgresError) {
        let table = Table(slot: slot)
        let (column, value) = table.slot.isEmpty ? ("", "") : (", slot", ", $6")
        try connection.query(
            """
            INSERT INTO \(table.name) AS r (window_key, generation, released, turn, ends_at\(column)) VALUES ($1, $2, $3, $4, $5\(value))
            ON CONFLICT (window_key, generation\(column)) DO UPDATE SET released = greatest(r.released, excluded.released), turn = r.turn + 1
            """,
            name(window) + [.int(entry.released), .int(entry.turn), .int(window.end.rawValue)] + table.slot)
    }
}
