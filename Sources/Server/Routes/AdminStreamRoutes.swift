internal import Accounting
internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `GET /api/admin/streams` and `/now`: what runs on all servers of the store. `POST /api/admin/streams/{run}/kill`: ends a run, wherever it
/// lives.
///
/// An admin administers its own organisation, an operator every one. A run of another organisation is like one that does not exist.
struct AdminStreamRoutes: Sendable {
    let live: LiveServer
    let approvals: ApprovalCount
    let stores: Stores
    let trail: AuditTrail

    private var coordinator: RunCoordinator { live.coordinator }

    func add(to group: RouterGroup<AppContext>) {
        group.get("streams", use: list)
        group.get("now", use: now)
        group.post("streams/:run/kill", use: kill)
    }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let page = try AdminPage(request)
        let area = try AdminArea(request, context.principal)
        let rows = await live.view().streams(area.org.map { .one($0) } ?? .all).filter { row in
            row.run > page.cursor && (area.project ?? row.project) == row.project && area.user.map { $0 == row.user } ?? true
        }
        let shown = rows.prefix(page.limit)
        return .json([
            "data": .array(shown.map(\.json)), "cursor": rows.count > shown.count ? shown.last.map { .string($0.run) } ?? .null : .null,
        ])
    }

    /// Of the caller's organisation; of another, or with `?org=*` of all, for an operator.
    @Sendable private func now(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let text = request.uri.queryParameters["org"].map(String.init)
        guard let choice = text.map({ OrgChoice($0) }) ?? .one(principal.org), principal.mayLook(at: choice) else {
            throw HTTPFailure.scopeDenied(param: "org")
        }
        let waiting = await approvals.waiting(choice)
        return .json(await live.view().now(choice, approvals: waiting, at: WallClock.now().rawValue))
    }

    /// `killed` when it was live here; `requested` when another server may have it: each that shares the store is told, and none ends a
    /// run of another organisation.
    @Sendable private func kill(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        guard let run = RunID(try context.parameters.require("run")) else { throw Self.absent }
        if let handle = coordinator.handle(for: run), principal.administers(org: handle.tenant.org) {
            guard coordinator.live(run) != nil, let path = try? TenancyPath(of: handle.tenant) else { throw Self.ended }
            let reason = try await Self.reason(request)
            let id = trail.killed(
                handle.identity, path, by: principal.keyID, of: "run:\(run.text)\(reason.map { ": \($0)" } ?? "")")
            guard coordinator.kill(run, decisionID: id) else { throw Self.ended }
            return .json(["run_id": .string(run.text), "status": "killed"])
        }
        if let end = try await stores.runEnds.find(run: run.text), principal.administers(org: end.path.org) { throw Self.ended }
        guard stores.mayBeShared else { throw Self.absent }
        let org = principal.isOperator ? nil : principal.org
        let reason = try await Self.reason(request)
        try await stores.revocations.add(.run(run.text), org: org, author: principal.keyID, reason: reason, at: WallClock.now())
        return .json(["run_id": .string(run.text), "status": "requested"], status: .accepted)
    }

    /// `{"reason": "…"}`, which may be left out, and the whole body too.
    private static func reason(_ request: Request) async throws -> String? {
        guard request.headers[.contentLength].map({ $0 != "0" }) ?? false else { return nil }
        return try FieldReader(await JSONBody.read(request)).string("reason", bytesMax: 500)
    }

    private static let absent = HTTPFailure.notFound("run of that id")
    private static let ended = HTTPFailure(.conflict, code: "run_ended", message: "This run has ended already.", param: "run")
}

extension Principal {
    func mayLook(at choice: OrgChoice) -> Bool {
        switch choice {
        case .all: isOperator
        case .one(let org): administers(org: org)
        }
    }
}
