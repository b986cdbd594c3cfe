internal import Accounting
internal import Digest
internal import JSON
internal import Logging

/// Puts what is decided outside of calls of tools into the decision log: admissions, approvals, cuts, kills, changes by administrators,
/// and refusals of another tenant's name.
///
/// Safe to use from any task: the writer behind it is an actor with bounded queues.
struct AuditTrail: Sendable {
    /// One thing that was decided.
    struct Act: Sendable {
        var kind: ToolDecision.Kind
        /// Where it belongs; ``AuditAuthor/noProject`` where it belongs to a whole organisation.
        var path: TenancyPath
        /// What was done: `run.admission`, `budget.set`. It stands where a call has its tool.
        var action: String
        var source = ToolDecision.Source.server
        var run = ""
        var conversation: String?
        var subject: String?
        var decision = ToolDecision.Verdict.allow
        var rule: String?
        var code: String?
        var message: String?
        var roles: [String] = []
        var details: JSONObject = JSONObject()
    }

    private let writer: DecisionWriter
    private let logger: Logger
    private let notLogged: @Sendable () -> Void

    /// - Parameter notLogged: called for each act that could not be written.
    init(_ writer: DecisionWriter, logger: Logger, notLogged: @escaping @Sendable () -> Void) {
        self.writer = writer
        self.logger = logger
        self.notLogged = notLogged
    }

    /// For what may happen only when it is written.
    ///
    /// - Returns: the decision's id once it is durable; nil when it is not, or when that is not known.
    func record(_ act: Act) async -> String? { await write(act, as: Self.id()) }

    /// For what stops something: it happens at once, and is written as soon as the store takes it.
    ///
    /// - Returns: the decision's id, and the writing; its value is whether the record is durable.
    func note(_ act: Act) -> (id: String, writing: Task<Bool, Never>) {
        let id = Self.id()
        // Unstructured: whoever is cut does not wait for a disk. The writer's queue bounds their number.
        return (id, Task { await write(act, as: id) != nil })
    }

    private func write(_ act: Act, as id: String) async -> String? {
        do {
            if await writer.append(try ToolDecision(act, id: id, at: WallClock.now())) { return id }
        } catch {
            logger.error("a decision cannot be written", metadata: ["action": "\(act.action)", "fault": "\(error)"])
        }
        notLogged()
        return nil
    }

    static func id() -> String { "dec_" + RandomText.urlSafe(bytes: 15) }
}

extension ToolDecision {
    /// - Throws: ``DecisionError/malformed(_:)``.
    init(_ act: AuditTrail.Act, id: String, at: Milliseconds) throws(DecisionError) {
        let details = JSONValue.object(act.details).canonicalBytes
        try self.init(
            id: id, path: act.path, run: act.run, callID: "", source: act.source, tool: act.action,
            argumentsDigest: Digest.hex(Digest.sha256(details)), arguments: nil, decision: act.decision, rule: act.rule, code: act.code,
            message: act.message, roles: act.roles, at: at, kind: act.kind, conversation: act.conversation, subject: act.subject,
            details: act.details.isEmpty ? nil : String(decoding: details, as: UTF8.self))
    }
}

/// On whose behalf the present task changes something: set by whoever lets a request in, read where the change is recorded.
struct AuditAuthor: Sendable {
    /// The project of what belongs to an organisation as a whole, or to no organisation.
    static let noProject = TenancyName.noProject
    /// The organisation of what belongs to the server.
    static let noOrg: OrgID = "-"

    @TaskLocal static var current = AuditAuthor(name: "server")

    /// `command line`, `server`, or the id of the key that was used.
    let name: String
    var path: TenancyPath?
    var roles: [String] = []
    var source = ToolDecision.Source.server

    static let commandLine = AuditAuthor(name: "command line", source: .operator)

    init(name: String, path: TenancyPath? = nil, roles: [String] = [], source: ToolDecision.Source = .server) {
        self.name = name
        self.path = path
        self.roles = roles
        self.source = source
    }

    init(_ principal: Principal) {
        self.init(
            name: principal.keyID,
            path: try? TenancyPath(org: principal.org, project: principal.project, user: principal.user, key: principal.keyID),
            roles: principal.roles, source: .operator)
    }

    /// A change that this author makes in an organisation.
    func act(_ action: String, in org: OrgID?, kind: ToolDecision.Kind = .change, _ details: JSONObject) throws -> AuditTrail.Act {
        var details = details
        details["by"] = .string(name)
        if let path, path.org != org { details["by_org"] = .string(path.org.text) }
        let own = path.flatMap { $0.org == org ? $0 : nil }
        return AuditTrail.Act(
            kind: kind, path: try own ?? TenancyPath(org: org ?? path?.org ?? Self.noOrg, project: Self.noProject), action: action,
            source: source, roles: roles, details: details)
    }
}
