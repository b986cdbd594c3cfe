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
        guard let base = try fields.identifier("base") else { throw fields.failure("base", "is needed: the version that was changed") }
        let draft = try PolicyDraft(fields)
        return try await publish(
            PolicyRoom.Proposal(draft: draft, base: base, reason: Self.reason(fields), action: "policies.publish"), policies)
    }

    /// `{"version", "reason", "base"?}`: the files of a version that once served, and its tests.
    @Sendable private func rollBack(_ request: Request, context: AppContext) async throws -> Response {
        let policies = try publisher(context)
        let fields = try FieldReader(await JSONBody.read(request))
        guard let version = try fields.identifier("version") else { throw fields.failure("version", "is needed") }
        let reason = try Self.reason(fields)
        guard let past = try await policies.past(version) else { throw HTTPFailure.notFound("version of policies of that name") }
        // A version that was kept without its tests is published beside those in force.
        let proposal = PolicyRoom.Proposal(
            draft: PolicyDraft(policies: past.files, tests: past.tests), base: try fields.identifier("base"), reason: reason,
            action: "policies.rollback", keepsTests: past.tests.isEmpty)
        return try await publish(proposal, policies)
    }

    private func publish(_ proposal: PolicyRoom.Proposal, _ policies: PolicyRoom) async throws -> Response {
        let published: PolicyRoom.Published
        do throws(PolicyPublishError) { published = try await policies.publish(proposal) } catch { throw HTTPFailure(error) }
        return .json([
            "version": .string(published.bundle.version), "previous_version": .string(published.previous),
            "changed": .bool(published.isChange), "findings": .array(PolicyCheck.findings(published.bundle).map(\.json)),
        ])
    }

    private func publisher(_ context: AppContext) throws -> PolicyRoom {
        guard try context.principal.isOperator else {
            throw HTTPFailure(
                .forbidden, code: "role_required", type: "permission_error",
                message: "The policies are the server's: publishing them needs a key with the role operator.")
        }
        guard let policies = room?.policies else { throw HTTPFailure.notFound("directory of policies") }
        guard policies.configuration.publish == .directory else {
            throw HTTPFailure(
                .forbidden, code: "publishing_off", type: "permission_error",
                message: "Policies are not published over HTTP here (policies.publish: off): change the files of the directory.")
        }
        return policies
    }

    static func reason(_ fields: FieldReader) throws(HTTPFailure) -> String {
        guard let reason = try fields.string("reason", bytesMax: PolicyStoreLimits.reasonBytes), !reason.trimmingSpaces.isEmpty,
            !reason.utf8.contains(0)
        else { throw fields.failure("reason", "is needed: one sentence for the decision log") }
        return reason
    }
}

extension HTTPFailure {
    init(_ error: PolicyPublishError) {
        switch error {
        case .conflict(let version):
            self.init(
                .conflict, code: "version_conflict",
                message: "Another version is in force than the one that was changed (\(version)): look at it, and publish again.",
                param: "base", headers: [.shouldRetry: "false"])
        case .directory(.changed):
            self.init(
                .conflict, code: "version_conflict",
                message: "The directory has new content that is in force in a moment: look at it, and publish again.", param: "base",
                headers: [.shouldRetry: "false"])
        case .refused(let refusal):
            self.init(
                .unprocessableContent, code: "policies_refused",
                message: "This set cannot be in force: \(refusal.findings.first.map { "\($0)" } ?? "")", param: "files",
                headers: [.shouldRetry: "false"])
            beside = JSONObject([("findings", .array(refusal.findings.map(\.json)))])
        case .directory(.busy):
            self.init(
                .conflict, code: "publishing_busy", message: "Another set is being published. Try again.", headers: [.retryAfter: "1"])
        case .directory(let fault):
            self.init(
                .conflict, code: "directory_not_writable",
                message: "The directory of policies cannot be changed from here: \(fault).", headers: [.shouldRetry: "false"])
        case .notLogged:
            self.init(
                .serviceUnavailable, code: "log_unavailable", type: "server_error",
                message: "The change cannot be written into the decision log, so it is not made. Try again.", headers: [.retryAfter: "1"])
        case .shuttingDown:
            self.init(.serviceUnavailable, code: "shutting_down", type: "server_error", message: "The server is shutting down.")
        }
    }
}
