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
        let filter = try StreamFilter(request, try context.principal)
        let rows = await live.view().streams(filter.choice).filter { filter.takes($0) && $0.run > page.cursor }
        let shown = rows.prefix(page.limit)
        return .json([
            "data": .array(shown.map(\.json)), "cursor": rows.count > shown.count ? shown.last.map { .string($0.run) } ?? .null : .null,
        ])
    }

    /// Of the caller's organisation; of another, or with `?org=*` of all, for an operator.
    @Sendable private func now(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let choice = OrgChoice(request.uri.queryParameters["org"].map(String.init) ?? principal.org)
        try principal.checkMayLook(at: choice)
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
        try await stores.revocations.add(.run(run.text), org: org, author: principal.keyID, at: WallClock.now())
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

/// `org`, `project` and `user` of a list of streams.
struct StreamFilter: Sendable {
    let choice: OrgChoice
    let project: String?
    let user: String?

    /// - Throws: 403 for an organisation that the caller does not administer, 400 for a name whose owner is not said.
    init(_ request: Request, _ principal: Principal) throws(HTTPFailure) {
        let query = request.uri.queryParameters
        let named = query["org"].map(String.init)
        (project, user) = (query["project"].map(String.init), query["user"].map(String.init))
        choice = named.map { OrgChoice($0) } ?? (principal.isOperator ? .all : .one(principal.org))
        try principal.checkMayLook(at: choice)
        if project != nil, case .all = choice { throw .badRequest("project needs org: a project's name belongs to one.", param: "org") }
        if user != nil, project == nil { throw .badRequest("user needs project: a user acts in one.", param: "project") }
    }

    func takes(_ row: StreamRow) -> Bool {
        choice.contains(row.org) && (project.map { $0 == row.project } ?? true) && (user.map { $0 == row.user } ?? true)
    }
}

extension Principal {
    /// - Throws: 403 `scope_denied`.
    func checkMayLook(at choice: OrgChoice) throws(HTTPFailure) {
        let may =
            switch choice {
            case .all: isOperator
            case .one(let org): administers(org: org)
            }
        guard may else { throw .scopeDenied("org") }
    }
}

extension HTTPFailure {
    static func scopeDenied(_ param: String) -> HTTPFailure {
        HTTPFailure(
            .forbidden, code: "scope_denied", type: "permission_error", message: "This key administers another organisation.",
            param: param)
    }
}
