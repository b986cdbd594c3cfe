internal import Synchronization

/// Approvals in memory, for tests and trials: gone with the process. A `Mutex`; safe to use from any task.
public final class MemoryApprovalRows: ApprovalRows {
    private let rows = Mutex<[DecisionID: StoredApproval]>([:])

    public init() {}

    public func insert(_ row: StoredApproval, room: PendingRoom) async throws(ApprovalRowsError) -> ApprovalInsert {
        let key = DecisionID(org: row.org, id: row.id)
        let answer = rows.withLock { rows -> ApprovalInsert? in
            guard rows[key] == nil else { return .taken }
            guard rows.count < PolicyStoreLimits.memoryRows else { return nil }
            let waiting = rows.values.filter { $0.org == row.org && $0.state == StoredApproval.pending }
            guard waiting.count < room.org, waiting.filter({ $0.run == row.run }).count < room.run else { return .full }
            rows[key] = row
            return .inserted
        }
        guard let answer else { throw .unavailable("the store in memory is full") }
        return answer
    }

    public func approval(org: OrgID, id: String) async throws(ApprovalRowsError) -> StoredApproval? {
        rows.withLock { $0[DecisionID(org: org, id: id)] }
    }

    public func replace(_ row: StoredApproval, expecting version: Int64) async throws(ApprovalRowsError) -> Bool {
        try ApprovalBatch.check(row, expecting: version)
        let key = DecisionID(org: row.org, id: row.id)
        let changed = rows.withLock { rows -> Result<Bool, ApprovalRowsError> in
            guard let old = rows[key], old.version == version else { return .success(false) }
            do throws(ApprovalRowsError) {
                rows[key] = try StoredApproval(
                    org: old.org, id: old.id, project: old.project, user: old.user, conversation: old.conversation, run: old.run,
                    tool: old.tool, digest: old.digest, state: row.state, createdAt: old.createdAt, expiresAt: row.expiresAt,
                    version: row.version, record: row.record)
                return .success(true)
            } catch {
                return .failure(error)
            }
        }
        return try changed.get()
    }

    public func approvals(
        org: OrgID, _ filter: ApprovalFilter, before cursor: ApprovalCursor?, limit: Int
    ) async throws(ApprovalRowsError) -> ApprovalPage {
        let limit = ApprovalBatch.limit(limit)
        let found = rows.withLock { rows in
            rows.values.filter { row in
                row.org == org && filter.takes(row)
                    && (cursor.map { row.comes(before: $0.createdAt, $0.id) } ?? true)
            }
        }
        return ApprovalPage(Array(found.sorted { $1.comes(before: $0.createdAt, $0.id) }.prefix(limit)), limit: limit)
    }

    public func pendingCount(org: OrgID) async throws(ApprovalRowsError) -> Int {
        rows.withLock { rows in rows.values.count { $0.org == org && $0.state == StoredApproval.pending } }
    }

    public func due(before: Milliseconds, limit: Int) async throws(ApprovalRowsError) -> [StoredApproval] {
        let found = rows.withLock { rows in
            rows.values.filter { $0.state == StoredApproval.pending && $0.expiresAt <= before }
        }
        let first = found.sorted { ($0.expiresAt, $0.org, $0.id) < ($1.expiresAt, $1.org, $1.id) }
        return Array(first.prefix(ApprovalBatch.limit(limit)))
    }

    public func recentDenials(
        org: OrgID, project: String, user: String, tool: String, digest: String, since: Milliseconds
    ) async throws(ApprovalRowsError) -> Int {
        let filter = ApprovalFilter(state: StoredApproval.denied, project: project, user: user, tool: tool, digest: digest)
        return rows.withLock { rows in
            rows.values.count { $0.org == org && filter.takes($0) && $0.createdAt >= since }
        }
    }
}

extension StoredApproval {
    /// Whether it is older than another one, or of the same time and of a lesser id.
    fileprivate func comes(before createdAt: Milliseconds, _ id: String) -> Bool {
        self.createdAt != createdAt ? self.createdAt < createdAt : self.id.utf8.lexicographicallyPrecedes(id.utf8)
    }
}

extension ApprovalFilter {
    fileprivate func takes(_ row: StoredApproval) -> Bool {
        [
            (state, row.state), (project, row.project), (user, row.user), (conversation, row.conversation), (tool, row.tool),
            (digest, row.digest), (run, row.run),
        ].allSatisfy { wanted, found in wanted.map { ByteText($0) == ByteText(found) } ?? true }
    }
}
