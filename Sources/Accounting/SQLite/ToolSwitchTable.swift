public import Accounting
internal import GRDB

/// The switches of tools in the embedded database.
public struct ToolSwitchTable: ToolSwitches {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func set(_ tool: String, isOff: Bool, by: String, reason: String, at: Milliseconds) async throws(PolicyStoreError) {
        let new = try ToolSwitch(tool: tool, isOff: isOff, by: by, reason: reason, at: at)
        let isSet: Bool
        do throws(EmbeddedDatabaseError) {
            isSet = try await database.writeDurably { db in
                try db.execute(
                    sql: """
                        INSERT INTO tool_switches (tool, is_off, author, reason, at) SELECT ?1, ?2, ?3, ?4, ?5
                        WHERE EXISTS (SELECT 1 FROM tool_switches WHERE tool = ?1) OR (SELECT count(*) FROM tool_switches) < ?6
                        ON CONFLICT (tool) DO UPDATE SET is_off = excluded.is_off, author = excluded.author, reason = excluded.reason,
                        at = excluded.at
                        """,
                    arguments: [new.tool, new.isOff, new.by, new.reason, new.at.rawValue, PolicyStoreLimits.switches])
                return db.changesCount > 0
            }
        } catch {
            throw .unavailable(error.description)
        }
        guard isSet else { throw .full }
    }

    public func all() async throws(PolicyStoreError) -> [ToolSwitch] {
        do {
            return try await database.read { db in
                try Row.fetchAll(db, sql: "SELECT * FROM tool_switches ORDER BY tool").map { row in
                    try ToolSwitch(
                        tool: row["tool"], isOff: row["is_off"], by: row["author"], reason: row["reason"], at: Milliseconds(row["at"]))
                }
            }
        } catch {
            throw .unavailable(error.description)
        }
    }
}
