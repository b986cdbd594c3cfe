public import Accounting

/// The reports of servers in Postgres.
public struct PostgresNodeReports: NodeReports {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func put(_ report: NodeReport) async throws -> Bool {
        try await database.write { (connection) throws(PostgresError) in
            try connection.query(
                """
                INSERT INTO node_reports (node, at, report) VALUES ($1, $2, $3)
                ON CONFLICT (node) DO UPDATE SET at = excluded.at, report = excluded.report RETURNING is_draining
                """, [.text(report.node), .int(report.at.rawValue), .text(report.report)]
            ).first?.bool(0) ?? false
        }
    }

    public func reports(since: Milliseconds) async throws -> [NodeReport] {
        try await database.read { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT node, at, report FROM (
                    SELECT * FROM node_reports WHERE at >= $1 ORDER BY at DESC, node COLLATE "C" DESC LIMIT $2
                ) AS newest ORDER BY node COLLATE "C"
                """, [.int(since.rawValue), .int(Int64(NodeLimits.nodes))]
            ).map { row throws(PostgresError) in
                let (node, at, report) = (try row.text(0), Milliseconds(try row.int(1)), try row.text(2))
                return try PostgresError.reading("a server's report") { try NodeReport(node: node, at: at, report: report) }
            }
        }
    }

    public func drain(_ node: String) async throws -> Bool {
        try await database.write { (connection) throws(PostgresError) in
            try connection.query("UPDATE node_reports SET is_draining = true WHERE node = $1", [.text(node)]).affected > 0
        }
    }

    @discardableResult
    public func forget(before: Milliseconds) async throws -> Int {
        try await database.write { (connection) throws(PostgresError) in
            Int(try connection.query("DELETE FROM node_reports WHERE at < $1", [.int(before.rawValue)]).affected)
        }
    }
}
