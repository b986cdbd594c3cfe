internal import Accounting
internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `GET /api/admin/runs/{run}`: why a run ended, what it was charged, and its timeline; of a run that lives, so far.
///
/// For who administers the run's organisation; any other run is like one that does not exist.
struct AdminRunRoutes: Sendable {
    let explainer: RunExplainer
    let live: LiveServer

    func add(to group: RouterGroup<AppContext>) {
        group.get("runs/:run", use: show)
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let absent = HTTPFailure(.notFound, code: "run_not_found", message: "There is no such run.", param: "run_id")
        guard let id = RunID(try context.parameters.require("run")) else { throw absent }
        let handle = live.coordinator.handle(for: id)
        // It may live at another server, and have nothing in the ledger yet.
        let row = handle == nil ? await live.view().streams(.all).first { $0.run == id.text } : nil
        guard let found = try await explainer.explain(id.text, live: handle, elsewhere: row), principal.administers(org: found.path.org)
        else { throw absent }
        let records = try await explainer.stores.decisions.decisions(
            for: .org(OrgHandle(org: found.path.org)), DecisionFilter(run: id.text), after: 0, limit: RunStory.decisions
        ).decisions
        return .json(RunStory(explanation: found, records: records).json)
    }
}
