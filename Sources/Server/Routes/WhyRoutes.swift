internal import Accounting
internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `GET /v1/runs/{run}/why`: which cap ended a run, and what it was charged; for its owner, and for who administers its organisation.
struct WhyRoutes: Sendable {
    let explainer: RunExplainer
    let coordinator: RunCoordinator

    func add(to group: RouterGroup<AppContext>) {
        group.get("runs/:run/why", use: why)
    }

    @Sendable private func why(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let run = try context.parameters.require("run")
        let absent = HTTPFailure(.notFound, code: "run_not_found", message: "There is no such run.", param: "run_id")
        guard let id = RunID(run) else { throw absent }
        let live = coordinator.handle(for: id)
        guard let found = try await explainer.explain(run, live: live) else { throw absent }
        let owner = Tenant(org: found.path.org, project: found.path.project, user: found.path.user, key: found.path.key)
        // A run of somebody else is as absent as one that never was.
        guard owner.owns(asSeenBy: principal.tenant) || principal.administers(org: owner.org) else { throw absent }
        return .json(found.json)
    }
}
