internal import Accounting
internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `GET /api/admin/streams`: the runs that live on this server. `POST /api/admin/streams/{run}/kill`: ends one, wherever it lives.
///
/// An admin administers its own organisation, an operator every one. A run of another organisation is like one that does not exist.
struct AdminStreamRoutes: Sendable {
    let coordinator: RunCoordinator
    let stores: Stores
    let trail: AuditTrail

    func add(to group: RouterGroup<AppContext>) {
        group.get("streams", use: list)
        group.post("streams/:run/kill", use: kill)
    }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let page = try AdminPage(request)
        let principal = try context.principal
        let live = coordinator.live().filter {
            principal.administers(org: $0.handle.tenant.org) && $0.handle.identity.run.text > page.cursor
        }.sorted { $0.handle.identity.run.text < $1.handle.identity.run.text }
        let shown = live.prefix(page.limit)
        return .json([
            "data": .array(shown.map(\.json)),
            "cursor": live.count > shown.count ? shown.last.map { .string($0.handle.identity.run.text) } ?? .null : .null,
        ])
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

extension RunStateMachine.State {
    fileprivate var name: String {
        switch self {
        case .admitted: "admitted"
        case .streaming: "streaming"
        case .waiting: "waiting"
        case .retrying: "retrying"
        case .stopping: "stopping"
        case .settling: "settling"
        case .ended: "ended"
        }
    }
}

extension LiveRun {
    fileprivate var json: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        let tenant = handle.tenant
        return [
            "run_id": .string(handle.identity.run.text), "conversation_id": .string(handle.identity.conversation.text),
            "org": .string(tenant.org), "project": .string(tenant.project), "user": text(tenant.user), "key": text(tenant.key),
            "model": .string(handle.model), "state": .string(state.name), "started_at": .integer(handle.startedAt),
            "delivered_tokens": .integer(Int64(deliveredTokens)),
            "usage": ["input_tokens": .integer(Int64(report.inputTokens)), "output_tokens": .integer(Int64(report.outputTokens))],
            "cost_usd": .string(report.costUSD),
        ]
    }
}
