internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import Supervisor

/// `GET /api/approvals` and `POST /api/approvals/{id}`: what waits for the caller's answer, and the answer.
///
/// There is no role of its own: each approval says who may decide it.
struct ApprovalRoutes: Sendable {
    /// Approvals of the org that are looked at for one page of those which concern the caller.
    private static let lookedAt = 200

    let desk: ApprovalDesk?

    func add(to group: RouterGroup<AppContext>) {
        group.get("approvals", use: list)
        group.post("approvals/:id", use: decide)
    }

    /// For the administrators of an org.
    func add(toAdmin group: RouterGroup<AppContext>) { group.get("approvals", use: listAll) }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let approver = Approver(principal)
        let page = try await page(request, of: principal.org, filter(request), limit: Self.lookedAt)
        return answer(page.approvals.filter { $0.concerns(approver) }, page.next, approver)
    }

    @Sendable private func listAll(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let org = try AdminArea.org(of: request, principal)
        var filter = try filter(request)
        filter.project = request.uri.queryParameters["project"].map(String.init)
        filter.user = request.uri.queryParameters["user"].map(String.init)
        filter.run = request.uri.queryParameters["run"].map(String.init)
        filter.tool = request.uri.queryParameters["tool"].map(String.init)
        filter.digest = request.uri.queryParameters["digest"].map(String.init)
        let page = try await page(request, of: org, filter, limit: try AdminPage(request).limit)
        return answer(page.approvals, page.next, Approver(principal))
    }

    private func filter(_ request: Request) throws -> ApprovalFilter {
        var filter = ApprovalFilter()
        switch request.uri.queryParameters["state"].map(String.init) {
        case nil, "pending": filter.state = .pending
        case "all": break
        case let text?:
            guard let state = Approval.State(rawValue: text) else {
                let states = Approval.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw HTTPFailure.badRequest("state must be all or one of \(states).", param: "state")
            }
            filter.state = state
        }
        return filter
    }

    private func page(
        _ request: Request, of org: OrgID, _ filter: ApprovalFilter, limit: Int
    ) async throws -> (approvals: [Approval], next: ApprovalCursor?) {
        guard let desk else { return ([], nil) }
        var cursor: ApprovalCursor?
        if let text = request.uri.queryParameters["cursor"] {
            guard let parsed = ApprovalCursor(text: String(text)) else {
                throw HTTPFailure.badRequest("cursor is none of ours.", param: "cursor")
            }
            cursor = parsed
        }
        let limit = min(limit, Self.lookedAt)
        guard let found = await desk.store.approvals(of: org, filter, before: cursor, limit: limit) else {
            throw HTTPFailure.approvalsUnavailable
        }
        return (found, found.count == limit ? found.last?.cursor : nil)
    }

    private func answer(_ approvals: [Approval], _ next: ApprovalCursor?, _ approver: Approver) -> Response {
        .json(["data": .array(approvals.map { $0.json(for: approver) }), "cursor": next.map { .string($0.text) } ?? .null])
    }

    @Sendable private func decide(_ request: Request, context: AppContext) async throws -> Response {
        let fields = try FieldReader(await JSONBody.read(request))
        let approval = try await ApprovalAnswer(fields).give(
            to: try context.parameters.require("id"), as: try context.principal, at: desk)
        return .json([
            "ok": true, "state": .string(approval.state.rawValue), "approval": approval.json(for: Approver(try context.principal)),
        ])
    }
}

/// What somebody says about an approval, whatever the transport.
struct ApprovalAnswer: Sendable {
    let answer: Approval.Answer
    let reason: String

    init(_ fields: FieldReader) throws(HTTPFailure) {
        guard let text = try fields.string("decision", bytesMax: 16), let answer = Approval.Answer(rawValue: text) else {
            throw fields.failure("decision", "must be approve or deny")
        }
        self.answer = answer
        reason = try fields.string("reason", bytesMax: SupervisorLimits.approvalReasonBytesMax) ?? ""
    }

    /// - Throws: the refusal as every transport tells it.
    func give(to id: String, as principal: Principal, at desk: ApprovalDesk?) async throws(HTTPFailure) -> Approval {
        guard let desk else { throw .notFound("approval") }
        do throws(ApprovalRefusal) {
            return try await desk.decide(id, by: Approver(principal), answer, reason: reason).get()
        } catch {
            guard error.code == .notAnApprover, await !isShown(id, to: principal, at: desk) else { throw HTTPFailure(error) }
            throw HTTPFailure(ApprovalRefusal.absent)
        }
    }

    /// Whether the approval is in one of the caller's lists; else it is as absent as one that never was.
    private func isShown(_ id: String, to principal: Principal, at desk: ApprovalDesk) async -> Bool {
        guard case .found(let approval) = await desk.store.approval(id, of: principal.org) else { return false }
        return principal.administers(org: approval.org) || approval.concerns(Approver(principal))
    }
}

extension HTTPFailure {
    static let approvalsUnavailable = HTTPFailure(
        .serviceUnavailable, code: "approval_unavailable", type: "server_error", message: "Approvals cannot be read right now. Try again.",
        headers: [.retryAfter: "1"])

    init(_ refusal: ApprovalRefusal) {
        let status: HTTPResponse.Status =
            switch refusal.code {
            case .unknown: .notFound
            case .notAnApprover, .ownCall, .sameCredential: .forbidden
            case .reasonRequired, .reasonTooLong: .badRequest
            case .unavailable: .serviceUnavailable
            case .alreadyDecided, .over, .expired, .otherCall, .used: .conflict
            }
        self.init(
            status, code: refusal.code.rawValue, type: status == .forbidden ? "permission_error" : "invalid_request_error",
            message: refusal.message, headers: status == .serviceUnavailable ? [.retryAfter: "1"] : [:])
    }
}
