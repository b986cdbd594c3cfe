internal import Accounting
internal import JSON
internal import Logging
internal import Supervisor

/// Meets the supervisor's ``ApprovalStore`` with the durable rows: the record is the supervisor's own JSON, the columns are what is
/// looked for by.
struct ApprovalBinding: ApprovalStore {
    let rows: any ApprovalRows
    let logger: Logger

    func insert(_ approval: Approval, room: ApprovalRoom) async -> ApprovalInsertion {
        await asking(.unavailable) {
            switch try await rows.insert(StoredApproval(approval), room: PendingRoom(run: room.run, org: room.org)) {
            case .inserted: return .inserted
            case .full: return .tooMany
            // Names are random: another one of this name is a fault.
            case .taken: return .unavailable
            }
        }
    }

    func approval(_ id: String, of org: OrgID) async -> ApprovalLookup {
        await asking(.unavailable) {
            guard let row = try await rows.approval(org: org, id: id) else { return .missing }
            return .found(try Approval(row))
        }
    }

    func replace(_ approval: Approval, expecting version: Int64) async -> ApprovalReplacement {
        await asking(.unavailable) {
            try await rows.replace(StoredApproval(approval), expecting: version) ? .replaced : .conflict
        }
    }

    func approvals(
        of org: OrgID, _ filter: Supervisor.ApprovalFilter, before cursor: Supervisor.ApprovalCursor?, limit: Int
    ) async -> [Approval]? {
        await asking(nil) {
            let page = try await rows.approvals(
                org: org, Accounting.ApprovalFilter(filter),
                before: cursor.map { Accounting.ApprovalCursor($0) }, limit: limit)
            return try page.approvals.map { try Approval($0) }
        }
    }

    func open(_ question: ApprovalQuestion) async -> [Approval]? {
        var filter = Accounting.ApprovalFilter()
        filter.project = question.project
        filter.user = question.user
        filter.conversation = question.conversation ?? ""
        filter.tool = question.tool
        filter.digest = question.digest
        let asked = filter
        return await asking(nil) {
            var found: [Approval] = []
            for state in [Approval.State.pending, .approved] {
                var filter = asked
                filter.state = state.rawValue
                let page = try await rows.approvals(org: question.org, filter, before: nil, limit: SupervisorLimits.approvalsOpenMax)
                found += try page.approvals.map { try Approval($0) }.filter { $0.usedBy == nil }
            }
            return Array(found.sorted { $0.createdAt > $1.createdAt }.prefix(SupervisorLimits.approvalsOpenMax))
        }
    }

    func due(before milliseconds: Int64, limit: Int) async -> [Approval]? {
        await asking(nil) { try await rows.due(before: Milliseconds(milliseconds), limit: limit).map { try Approval($0) } }
    }

    private func asking<Answer>(_ otherwise: Answer, _ body: () async throws -> Answer) async -> Answer {
        do { return try await body() } catch {
            logger.error("approvals cannot be kept or read; calls that need one are denied", metadata: ["fault": "\(error)"])
            return otherwise
        }
    }
}

extension Accounting.ApprovalCursor {
    fileprivate init(_ cursor: Supervisor.ApprovalCursor) {
        self.init(createdAt: Milliseconds(cursor.createdAt), id: cursor.id)
    }
}

extension Supervisor.ApprovalCursor {
    /// As it is in an address: the form is the store's.
    var text: String { Accounting.ApprovalCursor(self).text }

    init?(text: String) {
        guard let cursor = Accounting.ApprovalCursor(text) else { return nil }
        self.init(createdAt: cursor.createdAt.rawValue, id: cursor.id)
    }
}

extension Accounting.ApprovalFilter {
    fileprivate init(_ filter: Supervisor.ApprovalFilter) {
        self.init(
            state: filter.state?.rawValue, project: filter.project, user: filter.user, conversation: filter.conversation,
            tool: filter.tool, digest: filter.digest, run: filter.run)
    }
}

extension StoredApproval {
    fileprivate init(_ approval: Approval) throws {
        try self.init(
            org: approval.org, id: approval.id, project: approval.project, user: approval.user,
            conversation: approval.conversation ?? "", run: approval.run, tool: approval.tool, digest: approval.digest,
            state: approval.state.rawValue, createdAt: Milliseconds(approval.createdAt), expiresAt: Milliseconds(approval.expiresAt),
            version: approval.version, record: approval.json.jsonText)
    }
}

extension Approval {
    fileprivate init(_ row: StoredApproval) throws { self = try Approval(json: JSONValue(parsing: Array(row.record.utf8))) }
}
