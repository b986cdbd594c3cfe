/// Why an approval was not kept, or cannot be read.
public enum ApprovalRowsError: Error, Sendable, Hashable {
    /// A field that we should have made properly; its name.
    case malformed(String)
    /// The back end did not do it, or nobody knows whether it did; the reason is one sentence for an operator.
    case unavailable(String)
}

/// An approval as it is kept: what is looked for by, and the record of the machine that decides about it.
public struct StoredApproval: Sendable, Hashable {
    /// The state of an approval that waits for people; the store knows no other but ``denied``.
    public static let pending = "pending"
    public static let denied = "denied"

    public let org: OrgID
    /// Unique in its org; printable ASCII, at most ``DecisionLimits/idBytes``.
    public let id: String
    public let project: String
    /// Empty for a caller without a user.
    public let user: String
    /// Empty for a run without one.
    public let conversation: String
    public let run: String
    public let tool: String
    /// Of the canonical arguments, in lower-case hexadecimal digits.
    public let digest: String
    /// A word: printable ASCII, at most ``PolicyStoreLimits/stateBytes``.
    public let state: String
    /// UTC.
    public let createdAt: Milliseconds
    /// UTC.
    public let expiresAt: Milliseconds
    /// Grows with every change.
    public let version: Int64
    /// JSON, at most ``PolicyStoreLimits/approvalBytes``.
    public let record: String

    /// - Throws: ``ApprovalRowsError/malformed(_:)``.
    public init(
        org: OrgID, id: String, project: String, user: String, conversation: String, run: String, tool: String, digest: String,
        state: String, createdAt: Milliseconds, expiresAt: Milliseconds, version: Int64, record: String
    ) throws(ApprovalRowsError) {
        do { _ = try TenancyPath(org: org, project: project, user: user.isEmpty ? nil : user) } catch { throw .malformed("path") }
        do throws(DecisionError) {
            try DecisionText.check(id, "id")
            try DecisionText.check(state, "state")
            if !conversation.isEmpty { try DecisionText.check(conversation, "conversation") }
            if !run.isEmpty { try DecisionText.check(run, "run") }
            try DecisionText.checkDigest(digest, "digest")
        } catch {
            guard case .malformed(let field) = error else { throw .malformed("approval") }
            throw .malformed(field)
        }
        guard state.utf8.count <= PolicyStoreLimits.stateBytes else { throw .malformed("state") }
        guard tool == DecisionText.cleaned(tool, DecisionLimits.nameBytes), !tool.isEmpty else { throw .malformed("tool") }
        guard record.utf8.count <= PolicyStoreLimits.approvalBytes, !record.utf8.contains(0) else { throw .malformed("record") }
        self.org = org
        self.id = id
        self.project = project
        self.user = user
        self.conversation = conversation
        self.run = run
        self.tool = tool
        self.digest = digest
        self.state = state
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.version = version
        self.record = record
    }
}

/// What of the approvals is wanted; nil: all.
public struct ApprovalFilter: Sendable, Hashable {
    public var state: String?
    public var project: String?
    /// Empty: those without a user.
    public var user: String?
    public var conversation: String?
    public var tool: String?
    public var digest: String?
    public var run: String?

    public init(
        state: String? = nil, project: String? = nil, user: String? = nil, conversation: String? = nil, tool: String? = nil,
        digest: String? = nil, run: String? = nil
    ) {
        self.state = state
        self.project = project
        self.user = user
        self.conversation = conversation
        self.tool = tool
        self.digest = digest
        self.run = run
    }

    /// Whether a text in it has a zero byte: nothing that is kept has one, and Postgres takes none.
    package var isImpossible: Bool {
        [state, project, user, conversation, tool, digest, run].contains { $0?.utf8.contains(0) ?? false }
    }
}

/// The place of an approval in a list of the newest first.
public struct ApprovalCursor: Sendable, Hashable {
    public let createdAt: Milliseconds
    public let id: String

    public init(createdAt: Milliseconds, id: String) {
        self.createdAt = createdAt
        self.id = id
    }

    /// `1795435200000.apr_1`: the time in milliseconds, and the id.
    public var text: String { "\(createdAt.rawValue).\(id)" }

    /// Reads ``text``; nil for other text.
    public init?(_ text: String) {
        guard let point = text.firstIndex(of: "."), let at = Int64(text[..<point]) else { return nil }
        let id = String(text[text.index(after: point)...])
        do { try DecisionText.check(id, "id") } catch { return nil }
        self.init(createdAt: Milliseconds(at), id: id)
    }
}

public struct ApprovalPage: Sendable, Hashable {
    public let approvals: [StoredApproval]
    /// Pass it as `before` for the next page; nil at the end.
    public let next: ApprovalCursor?

    package init(_ approvals: [StoredApproval], limit: Int) {
        self.approvals = approvals
        next = approvals.count == limit ? approvals.last.map { ApprovalCursor(createdAt: $0.createdAt, id: $0.id) } : nil
    }
}

/// The approvals that calls wait for or were made under. What was kept survives the loss of power.
public protocol ApprovalRows: Sendable {
    /// Counts what waits and keeps the row, in one transaction.
    func insert(_ row: StoredApproval, room: PendingRoom) async throws(ApprovalRowsError) -> ApprovalInsert
    func approval(org: OrgID, id: String) async throws(ApprovalRowsError) -> StoredApproval?
    /// Changes state, expiry, version and record, if the version is still `version`; what an approval is about never changes.
    ///
    /// - Returns: false when it is another one, or there is no such approval.
    func replace(_ row: StoredApproval, expecting version: Int64) async throws(ApprovalRowsError) -> Bool
    /// The newest first, before `cursor` if given; at most ``PolicyStoreLimits/approvalPage``.
    func approvals(
        org: OrgID, _ filter: ApprovalFilter, before cursor: ApprovalCursor?, limit: Int
    ) async throws(ApprovalRowsError) -> ApprovalPage
    func pendingCount(org: OrgID) async throws(ApprovalRowsError) -> Int
    /// The pending approvals of all orgs that expire then or before, the first ones first; at most ``PolicyStoreLimits/approvalPage``.
    func due(before: Milliseconds, limit: Int) async throws(ApprovalRowsError) -> [StoredApproval]
    /// How many approvals of the same call by the same user were asked for since then and denied.
    func recentDenials(
        org: OrgID, project: String, user: String, tool: String, digest: String, since: Milliseconds
    ) async throws(ApprovalRowsError) -> Int
}

/// How many approvals may be pending at a time, the new one included.
public struct PendingRoom: Sendable, Hashable {
    /// Of the row's run.
    public let run: Int
    public let org: Int

    public init(run: Int, org: Int) {
        self.run = run
        self.org = org
    }
}

public enum ApprovalInsert: Sendable, Hashable {
    case inserted
    /// The org has an approval of this id.
    case taken
    /// As many wait already as there may be.
    case full
}

extension ApprovalRows {
    /// Without a bound on what waits.
    ///
    /// - Returns: false when the org has an approval of this id.
    public func insert(_ row: StoredApproval) async throws(ApprovalRowsError) -> Bool {
        try await insert(row, room: PendingRoom(run: .max, org: .max)) == .inserted
    }
}

package enum ApprovalBatch {
    package static func limit(_ limit: Int) -> Int { min(max(1, limit), PolicyStoreLimits.approvalPage) }

    package static func check(_ row: StoredApproval, expecting version: Int64) throws(ApprovalRowsError) {
        guard row.version > version else { throw .malformed("version") }
    }
}
