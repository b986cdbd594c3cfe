public import Accounting
internal import GRDB

/// The reports of servers in the embedded database.
public struct NodeReportTable: NodeReports {
    static let schema = """
        CREATE TABLE node_reports (
            node TEXT PRIMARY KEY, at INTEGER NOT NULL, report TEXT NOT NULL, is_draining INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX node_reports_at ON node_reports (at);
        """

    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func put(_ report: NodeReport) async throws -> Bool {
        try await database.write { db in
            try Bool.fetchOne(
                db,
                sql: """
                    INSERT INTO node_reports (node, at, report) VALUES (?, ?, ?)
                    ON CONFLICT (node) DO UPDATE SET at = excluded.at, report = excluded.report RETURNING is_draining
                    """, arguments: [report.node, report.at.rawValue, report.report]) ?? false
        }
    }

    public func reports(since: Milliseconds) async throws -> [NodeReport] {
        try await database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT node, at, report FROM (SELECT * FROM node_reports WHERE at >= ? ORDER BY at DESC, node DESC LIMIT ?) ORDER BY node
                    """, arguments: [since.rawValue, NodeLimits.nodes]
            ).map { try NodeReport(node: $0["node"], at: Milliseconds($0["at"]), report: $0["report"]) }
        }
    }

    public func drain(_ node: String) async throws -> Bool {
        try await database.write { db in
            try db.execute(sql: "UPDATE node_reports SET is_draining = 1 WHERE node = ?", arguments: [node])
            return db.changesCount > 0
        }
    }

    @discardableResult
    public func forget(before: Milliseconds) async throws -> Int {
        try await database.write { db in
            try db.execute(sql: "DELETE FROM node_reports WHERE at < ?", arguments: [before.rawValue])
            return db.changesCount
        }
    }
}
