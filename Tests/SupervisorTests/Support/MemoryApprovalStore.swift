import Supervisor
import Synchronization

/// Approvals as their JSON text, so that each test of the pipeline reads back what it wrote.
final class MemoryApprovalStore: ApprovalStore {
    private struct State {
        var rows: [String: Approval] = [:]
        var isAvailable = true
    }

    private let state = Mutex(State())

    /// The newest first.
    var all: [Approval] { state.withLock { Self.sorted($0.rows.values) } }

    func fail(_ isFailing: Bool = true) { state.withLock { $0.isAvailable = !isFailing } }

    func insert(_ approval: Approval, room: ApprovalRoom) async -> ApprovalInsertion {
        state.withLock { state in
            guard state.isAvailable, let stored = try? Approval(json: approval.json), stored == approval else { return .unavailable }
            let pending = state.rows.values.filter { $0.org == approval.org && $0.state == .pending }
            guard pending.count < room.org, pending.count(where: { $0.run == approval.run }) < room.run else { return .tooMany }
            state.rows[approval.id] = stored
            return .inserted
        }
    }

    func approval(_ id: String, of org: OrgID) async -> ApprovalLookup {
        state.withLock { state in
            guard state.isAvailable else { return .unavailable }
            guard let found = state.rows[id], found.org == org else { return .missing }
            return .found(found)
        }
    }

    func replace(_ approval: Approval, expecting version: Int64) async -> ApprovalReplacement {
        // Other tasks get a turn between the look and the change, as at a database.
        await Task.yield()
        return state.withLock { state in
            guard state.isAvailable, let stored = try? Approval(json: approval.json), stored == approval else { return .unavailable }
            guard state.rows[approval.id]?.version == version, approval.version == version + 1 else { return .conflict }
            state.rows[approval.id] = stored
            return .replaced
        }
    }

    func approvals(of org: OrgID, _ filter: ApprovalFilter, before cursor: ApprovalCursor?, limit: Int) async -> [Approval]? {
        state.withLock { state in
            guard state.isAvailable else { return nil }
            let found = Self.sorted(state.rows.values.filter { $0.org == org && filter.fits($0) })
            let rest = found.drop { approval in
                guard let cursor else { return false }
                return (approval.createdAt, approval.id) >= (cursor.createdAt, cursor.id)
            }
            return Array(rest.prefix(limit))
        }
    }

    func open(_ question: ApprovalQuestion) async -> [Approval]? {
        state.withLock { state in
            guard state.isAvailable else { return nil }
            return Self.sorted(
                state.rows.values.filter {
                    $0.question == question && ($0.state == .pending || $0.state == .approved && $0.usedBy == nil)
                })
        }
    }

    func due(before milliseconds: Int64, limit: Int) async -> [Approval]? {
        state.withLock { state in
            guard state.isAvailable else { return nil }
            let due = state.rows.values.filter { $0.state == .pending && $0.expiresAt <= milliseconds }
            return Array(due.sorted { ($0.expiresAt, $0.id) < ($1.expiresAt, $1.id) }.prefix(limit))
        }
    }

    private static func sorted(_ rows: some Sequence<Approval>) -> [Approval] {
        rows.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
    }
}

/// What observers were told, in order.
final class WatchedApprovals: ApprovalObserver {
    private let seen = Mutex<[Approval]>([])
    var all: [Approval] { seen.withLock { $0 } }
    func changed(_ approval: Approval) async { seen.withLock { $0.append(approval) } }
}
