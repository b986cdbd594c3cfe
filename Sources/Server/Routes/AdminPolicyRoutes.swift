internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOPosix
internal import Supervisor

/// `GET /api/admin/policies` and `POST /api/admin/policies/dry-run`: the policies in force, what is to be said about them, and what others
/// would have decided. They are changed by ``AdminPublishRoutes``, or in the files of the directory.
struct AdminPolicyRoutes: Sendable {
    /// Decisions of a dry run: a day of a busy organisation, in the seconds that a person waits.
    private static let dryRunMax = 20_000
    /// Differences that are listed; the rest is counted.
    private static let listedMax = 500
    private static let versionsShown = 50

    let stores: Stores
    let room: ToolRoom?

    func add(to group: RouterGroup<AppContext>) {
        group.get("policies", use: show)
        group.get("policies/:version", use: version)
        group.post("policies/dry-run", use: dryRun)
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        guard let policies = room?.policies else {
            return .json([
                "mode": "none", "version": .null, "publish": "off", "files": [], "test_files": [], "findings": [], "tests": [],
                "versions": [], "failure": .null,
            ])
        }
        let (bundle, standing) = (policies.decider.current, policies.standing)
        let versions = try await stores.policyVersions.versions(limit: Self.versionsShown)
        return .json([
            "mode": .string(policies.configuration.mode.rawValue), "directory": .string(policies.configuration.directory),
            "version": .string(bundle.version), "loaded_at": .integer(standing.loadedAt.rawValue),
            "candidate": policies.decider.candidate.map { .string($0.version) } ?? .null,
            "files": .array(
                standing.folder.files.map { file in
                    [
                        "name": .string(file.name), "text": .string(file.text),
                        "rules": .array(bundle.rules.filter { $0.file == file.name }.map(\.json)),
                    ]
                }),
            "test_files": .array(standing.folder.testTexts.map { ["name": .string($0.name), "text": .string($0.text)] }),
            "publish": .string(policies.configuration.publish.rawValue),
            "findings": .array(PolicyCheck.findings(bundle).map(\.json)), "tests": .array(PolicyTestRunner(bundle).run().map(\.json)),
            "versions": .array(versions.map { ["version": .string($0.version), "loaded_at": .integer($0.at.rawValue)] }),
            "failure": standing.failure.map { ["at": .integer($0.at.rawValue), "findings": .array($0.findings.map(\.json))] } ?? .null,
        ])
    }

    /// The files of a version that was once in force.
    @Sendable private func version(_ request: Request, context: AppContext) async throws -> Response {
        let version = try context.parameters.require("version")
        guard let text = try await stores.policyVersions.files(of: version),
            let members = (try? JSONValue(parsing: Array(text.utf8)))?.objectValue?.members
        else { throw HTTPFailure.notFound("version of policies of that name") }
        func files(_ isWanted: (String) -> Bool) -> JSONValue {
            .object(JSONObject(members.filter { isWanted($0.key) }.map { ($0.key, $0.value) }))
        }
        return .json([
            "version": .string(version), "files": files { !PolicyFolder.isTest($0) }, "test_files": files { PolicyFolder.isTest($0) },
        ])
    }

    /// `{"files": [{"name", "text"}], "since"?}`: the files beside the tests that are in force, and past decisions under them.
    @Sendable private func dryRun(_ request: Request, context: AppContext) async throws -> Response {
        guard let room, let policies = room.policies else { throw HTTPFailure.notFound("directory of policies") }
        let fields = try FieldReader(await JSONBody.read(request))
        let files = try Self.files(fields)
        let since = try Self.since(fields)
        let tests = policies.standing.folder.tests
        let catalog = room.catalog
        // Checks of a large set take a moment: not on a thread that others share.
        let loaded = try await NIOThreadPool.singleton.runIfActive { () -> Result<PolicyBundle, PolicyLoadError> in
            do throws(PolicyLoadError) {
                // What breaks a test is still compared: the difference may be what is wanted.
                return .success(try PolicyBundle(files: files, tests: tests, catalog: catalog, demandsTests: false))
            } catch {
                return .failure(error)
            }
        }
        switch loaded {
        case .failure(let error):
            return .json([
                "ok": false, "findings": .array(error.findings.map(\.json)), "tests": [], "compared": 0, "different": 0, "differs": [],
            ])
        case .success(let bundle):
            var listed: [JSONValue] = []
            let past = PastDecisions(decisions: stores.decisions, bundle: bundle, catalog: catalog)
            let summary = try await past.replay(try context.principal.org, since: since, limit: Self.dryRunMax) { difference in
                if listed.count < Self.listedMax { listed.append(difference.json) }
            }
            let results = PolicyTestRunner(bundle).run()
            return .json([
                "ok": .bool(results.allSatisfy(\.passed)), "version": .string(bundle.version),
                "findings": .array(PolicyCheck.findings(bundle).map(\.json)),
                "tests": .array(results.map(\.json)), "compared": .integer(Int64(summary.compared)),
                "unanswerable": .integer(Int64(summary.unanswerable)), "different": .integer(Int64(summary.different)),
                "differs": .array(listed),
            ])
        }
    }

    private static func files(_ fields: FieldReader) throws(HTTPFailure) -> [PolicyFile] {
        guard let list = fields.value("files")?.arrayValue, list.count <= PolicyLimits.filesMax else {
            throw fields.failure("files", "must be an array of at most \(PolicyLimits.filesMax) files")
        }
        var files: [PolicyFile] = []
        for value in list {
            guard let name = value["name"]?.stringValue, name.hasSuffix(".cedar"), name.utf8.count <= 255,
                let text = value["text"]?.stringValue
            else { throw fields.failure("files", "must be an array of {name, text}, with names that end with .cedar") }
            files.append(PolicyFile(name: name, text: text))
        }
        return files
    }

    /// A day ago where the request does not say.
    private static func since(_ fields: FieldReader) throws(HTTPFailure) -> Milliseconds {
        let text = fields.value("since").flatMap { $0.stringValue ?? $0.integerValue.map { String($0) } }
        do throws(LedgerSelection.Failure) {
            return try LedgerSelection.instant(text, "since") ?? WallClock.now() - Milliseconds(86_400_000)
        } catch {
            throw .badRequest("\(error.description).", param: "since")
        }
    }
}
