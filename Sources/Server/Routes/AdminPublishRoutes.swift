internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOPosix
internal import Supervisor

/// `POST /api/admin/policies/check`, `PUT /api/admin/policies`, `POST /api/admin/policies/rollback`: a set of policies is tried, and put into
/// the place of the one in force.
///
/// The directory belongs to the server and to no tenant: every admin may check, only an operator publishes.
struct AdminPublishRoutes: Sendable {
    let room: ToolRoom?

    func add(to group: RouterGroup<AppContext>) {
        group.post("policies/check", use: check)
        group.put("policies", use: publish)
        group.post("policies/rollback", use: rollBack)
    }

    /// `{"files": [{"name", "text"}]}`: what would be said about them, beside the tests in force that are not sent.
    @Sendable private func check(_ request: Request, context: AppContext) async throws -> Response {
        guard let room, let policies = room.policies else { throw HTTPFailure.notFound("directory of policies") }
        let draft = try PolicyDraft(FieldReader(await JSONBody.read(request)))
        let texts = draft.texts(beside: policies.standing.folder.testTexts)
        let catalog = room.catalog
        return try await NIOThreadPool.singleton.runIfActive { () -> Response in
            do throws(PolicyLoadError) {
                let folder = try PolicyFolder("", texts: texts)
                let bundle = try PolicyBundle(files: folder.files, tests: folder.tests, catalog: catalog, demandsTests: false)
                let results = PolicyTestRunner(bundle).run()
                return .json([
                    "ok": .bool(results.allSatisfy(\.passed)), "version": .string(bundle.version),
                    "findings": .array(PolicyCheck.findings(bundle).map(\.json)), "tests": .array(results.map(\.json)),
                ])
            } catch {
                return .json(["ok": false, "version": .null, "findings": .array(error.findings.map(\.json)), "tests": []])
            }
        }
    }

    /// `{"files": [{"name", "text"}], "base", "reason"}`.
    @Sendable private func publish(_ request: Request, context: AppContext) async throws -> Response {
        let policies = try publisher(context)
        let fields = try FieldReader(await JSONBody.read(request))
        let base = try fields.changedVersion()
        let draft = try PolicyDraft(fields)
        return try await publish(Proposal(draft: draft, base: base, reason: fields.reason(), act: .publish), policies)
    }

    /// `{"version", "reason", "base"?}`: the files of a version that once served, and its tests.
    @Sendable private func rollBack(_ request: Request, context: AppContext) async throws -> Response {
        let policies = try publisher(context)
        let fields = try FieldReader(await JSONBody.read(request))
        let proposal = try await fields.rollback(of: .policies) { version in try await policies.past(version) }
        return try await publish(proposal, policies)
    }

    private func publish(_ proposal: Proposal<PolicyDraft>, _ policies: PolicyRoom) async throws -> Response {
        let published: Published<PolicyBundle>
        do throws(PublishError) { published = try await policies.publish(proposal) } catch { throw HTTPFailure(error, of: .policies) }
        return .published(published, ("findings", .array(PolicyCheck.findings(published.content).map(\.json))))
    }

    private func publisher(_ context: AppContext) throws -> PolicyRoom {
        try PublishedDocument.policies.checkOperator(context)
        guard let policies = room?.policies else { throw HTTPFailure.notFound(PublishedDocument.policies.words.absent.here) }
        try PublishedDocument.policies.checkSetting(isOn: policies.configuration.publish == .directory)
        return policies
    }
}
