internal import Synchronization

/// What one server says of itself: the newest only, and gone from sight when it stays out.
public struct NodeReport: Sendable, Hashable {
    /// The name of the process; another one after each start.
    public let node: String
    /// When it was written, by that server's clock (UTC).
    public let at: Milliseconds
    /// JSON; its members are the server's own affair.
    public let report: String

    /// - Throws: ``NodeReportError`` for a name that is none, and for a report that is too long or that Postgres would not take.
    public init(node: String, at: Milliseconds, report: String) throws(NodeReportError) {
        guard !node.isEmpty, node == DecisionText.cleaned(node, NodeLimits.nameBytes) else { throw .malformed("node") }
        guard report.utf8.count <= NodeLimits.reportBytes, !report.utf8.contains(0) else { throw .malformed("report") }
        self.node = node
        self.at = at
        self.report = report
    }
}

public enum NodeReportError: Error, Sendable, Hashable {
    /// The field that we should have made properly.
    case malformed(String)
}

/// Maximums of what servers say of themselves, with their reasons.
public enum NodeLimits {
    public static let nameBytes = 128
    /// Two thousand live runs at a kilobyte each, and what is counted of two hundred organisations for an hour.
    public static let reportBytes = 4 << 20
    /// Servers that are read at once: more share no store.
    public static let nodes = 100
    /// A server that has not reported for so long is gone: it reports every five seconds at least.
    public static let sight = Milliseconds(15_000)
    /// How long a report stays: what it has counted belongs to the last hour until then.
    public static let retention = Milliseconds(3_600_000)
}

/// What the servers of one store say of themselves, for all of them and for commands beside them. A report may be lost with the machine: the
/// next one is a second away.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator.
public protocol NodeReports: Sendable {
    /// Replaces what the server has said before.
    ///
    /// - Returns: whether somebody has told this server to take no more runs.
    func put(_ report: NodeReport) async throws -> Bool
    /// Those that were written then or later, by name; at most ``NodeLimits/nodes``, the newest.
    func reports(since: Milliseconds) async throws -> [NodeReport]
    /// Tells a server to take no more runs; it hears of it with its next report.
    ///
    /// - Returns: false when no such server has reported.
    func drain(_ node: String) async throws -> Bool
    /// - Returns: how many were forgotten.
    @discardableResult
    func forget(before: Milliseconds) async throws -> Int
}

/// Reports in memory, for tests. A `Mutex`; safe to use from any task.
public final class MemoryNodeReports: NodeReports {
    private struct Row {
        var report: NodeReport
        var isDraining = false
    }

    private let rows = Mutex<[String: Row]>([:])

    public init() {}

    public func put(_ report: NodeReport) async throws -> Bool {
        rows.withLock { rows in
            rows[report.node, default: Row(report: report)].report = report
            return rows[report.node]?.isDraining ?? false
        }
    }

    public func reports(since: Milliseconds) async throws -> [NodeReport] {
        let found = rows.withLock { $0.values.map(\.report) }.filter { $0.at >= since }.sorted { ($0.at, $0.node) > ($1.at, $1.node) }
        return found.prefix(NodeLimits.nodes).sorted { $0.node < $1.node }
    }

    public func drain(_ node: String) async throws -> Bool {
        rows.withLock { rows in
            guard rows[node] != nil else { return false }
            rows[node]?.isDraining = true
            return true
        }
    }

    public func forget(before: Milliseconds) async throws -> Int {
        rows.withLock { rows in
            let old = rows.filter { $0.value.report.at < before }
            for node in old.keys { rows[node] = nil }
            return old.count
        }
    }
}
