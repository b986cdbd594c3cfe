public import Accounting
internal import GRDB

/// How the slots of an org share each window's cap.
extension SQLiteCounterRoot {
    public func release(
        _ window: WindowRef, org: CounterSlot, incarnation: String, upTo target: Int64, shares: [Int: Int64]
    ) async throws(LedgerStoreError) -> Release? {
        let slot = org.index
        return try await write { db in
            guard let life = try EpochRecord.current(org, db), life.epoch.incarnation == incarnation else { return nil }
            var releases = SlotReleases(try ReleaseRecord.entries(window, db))
            let isFirst = releases.entries.isEmpty
            let changed = releases.raise(slot, to: target, cap: window.cap, shares: shares)
            for slot in changed { try ReleaseRecord.keep(releases[slot], of: window, slot: slot, db) }
            let given = releases[slot]
            return Release(released: given.released, turn: given.turn, isCleared: life.isCleared, isFirst: isFirst)
        }
    }

    public func releases(_ window: WindowRef) async throws(LedgerStoreError) -> [Int: Int64] {
        do { return try await database.read { try ReleaseRecord.entries(window, $0).mapValues(\.released) } } catch {
            throw .failed(error.description)
        }
    }

    public func beginRecall(_ window: WindowRef, org: CounterSlot, incarnation: String) async throws(LedgerStoreError) -> Int64? {
        let slot = org.index
        return try await write { db in
            guard try EpochRecord.current(org, db)?.epoch.incarnation == incarnation else { return nil }
            var releases = SlotReleases(try ReleaseRecord.entries(window, db))
            guard let turn = releases.beginRecall(slot) else { return nil }
            try ReleaseRecord.keep(releases[slot], of: window, slot: slot, db)
            return turn
        }
    }

    public func endRecall(_ window: WindowRef, org: CounterSlot, turn: Int64, released: Int64) async throws(LedgerStoreError) {
        let slot = org.index
        try await write { db in
            var releases = SlotReleases(try ReleaseRecord.entries(window, db))
            guard releases.endRecall(slot, turn: turn, released: released) else { return }
            try ReleaseRecord.keep(releases[slot], of: window, slot: slot, db)
        }
    }

    public func slots(org: OrgID) async throws(LedgerStoreError) -> [Int] {
        do {
            return try await database.read { db in
                // Bytewise: what begins with `acme/` is from that on and before `acme0`, the next byte after the slash.
                let names = try String.fetchAll(
                    db, sql: "SELECT org FROM epochs WHERE org = ?1 OR org >= ?1 || '/' AND org < ?1 || '0'", arguments: [org])
                return try names.map { name in try CounterSlot(name) }.filter { $0.org == org }.map(\.index).sorted()
            }
        } catch {
            throw .failed(error.description)
        }
    }

    public func everySlot() async throws(LedgerStoreError) -> [CounterSlot] {
        do {
            return try await database.read { db in
                try String.fetchAll(db, sql: "SELECT org FROM epochs ORDER BY org").map { name in try CounterSlot(name) }
            }
        } catch {
            throw .failed(error.description)
        }
    }
}

/// What was released of a window, in and out of SQL.
private enum ReleaseRecord {
    static func entries(_ window: WindowRef, _ db: Database) throws -> [Int: SlotReleases.Entry] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT slot, released, turn FROM all_releases WHERE window = ? AND generation = ?",
            arguments: [window.key.text, window.generation])
        return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], SlotReleases.Entry(released: $0[1], turn: $0[2])) })
    }

    /// Slot 0 has the table that was there before the slots, without their column.
    static func keep(_ entry: SlotReleases.Entry, of window: WindowRef, slot: Int, _ db: Database) throws {
        let (table, column, value) = slot > 0 ? ("slot_releases", ", slot", ",?") : ("releases", "", "")
        let values: StatementArguments = [window.key.text, window.generation, entry.released, entry.turn, window.end.rawValue]
        try db.execute(
            sql: """
                INSERT INTO \(table) (window, generation, released, turn, ends_at\(column)) VALUES (?,?,?,?,?\(value))
                ON CONFLICT (window, generation\(column)) DO UPDATE SET released = excluded.released, turn = excluded.turn
                """, arguments: slot > 0 ? values + [slot] : values)
    }
}
