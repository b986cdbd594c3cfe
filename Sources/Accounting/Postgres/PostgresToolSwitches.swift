public import Accounting

/// The switches of tools in Postgres.
public struct PostgresToolSwitches: ToolSwitches {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func set(_ tool: String, isOff: Bool, by: String, reason: String, at: Milliseconds) async throws(PolicyStoreError) {
        let new = try ToolSwitch(tool: tool, isOff: isOff, by: by, reason: reason, at: at)
        let values: [PostgresValue] = [
            .text(new.tool), .bool(new.isOff), .text(new.by), .text(new.reason), .int(new.at.rawValue),
            .int(Int64(PolicyStoreLimits.switches)),
        ]
        let isSet: Bool
        do throws(PostgresError) {
            isSet = try await database.writeDurably { (connection) throws(PostgresError) in
                // They take turns, so that the number of them is exact.
                try connection.query("SELECT pg_advisory_xact_lock(hashtextextended('kdcube.tool_switches', 0))::text")
                return try connection.query(
                    """
                    INSERT INTO tool_switches (tool, is_off, author, reason, at) SELECT $1, $2, $3, $4, $5
                    WHERE EXISTS (SELECT FROM tool_switches WHERE tool = $1) OR (SELECT count(*) FROM tool_switches) < $6
                    ON CONFLICT (tool) DO UPDATE SET is_off = excluded.is_off, author = excluded.author, reason = excluded.reason,
                        at = excluded.at
                    """, values
                ).affected > 0
            }
        } catch {
            throw .unavailable(error.description)
        }
        guard isSet else { throw .full }
    }

    public func all() async throws(PolicyStoreError) -> [ToolSwitch] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try connection.query("SELECT tool, is_off, author, reason, at FROM tool_switches ORDER BY tool").map {
                    row throws(PostgresError) in
                    try PostgresError.reading("a switch of a tool") {
                        try ToolSwitch(
                            tool: row.text(0), isOff: row.bool(1), by: row.text(2), reason: row.text(3), at: Milliseconds(row.int(4)))
                    }
                }
            }
        } catch {
            throw .unavailable(error.description)
        }
    }
}
