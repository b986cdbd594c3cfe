internal import Digest
public import JSON

/// Why a question is none.
public struct QuestionError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The question is not written as one.
        case form
        /// The catalog has no such tool.
        case unknownTool
        /// The arguments do not fit the tool's schema: the call would be refused before anybody decides.
        case arguments(ArgumentError)
    }

    public let kind: Kind
    /// Where: `as.roles`, `args`.
    public let path: String
    public let message: String

    init(_ kind: Kind, _ path: String, _ message: String) {
        self.kind = kind
        self.path = path
        self.message = message
    }

    public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}

extension DecisionRequest {
    /// A question as people, tests and the log write it:
    ///
    ///     {"call": "payments.refund", "args": {…}, "as": {"org", "project", "user", "roles": […], "key"}, "source": "model",
    ///      "run": {"id", "conversation"}, "history": [{"tool", "key"}], "called": […], "approvals": […], "counts": {tool: n},
    ///      "now": "2026-11-28T09:00:00Z"}
    ///
    /// Everything but `call` may be left out: org `acme`, project `web`, user `anna`, no roles, the model, run `run_1`, noon of
    /// 2026-01-01; `called` is then `history`, and `counts` are those of `called`. Secrets among the arguments are not looked at.
    ///
    /// - Throws: ``QuestionError`` for a key that nobody knows, and for arguments that do not fit the tool's schema.
    public init(question: JSONValue, catalog: ToolCatalog) throws(QuestionError) {
        var reader = try QuestionReader(question, at: "")
        self = try reader.request(catalog)
        try reader.finish()
    }

    /// The question that a record was the answer to.
    ///
    /// - Parameter inputs: ``RulingBasis/inputs`` of the recorded ruling.
    /// - Throws: ``QuestionError`` where the record has no arguments any longer, or they do not fit the catalog of today.
    public init(record: DecisionRecord, inputs: JSONObject, catalog: ToolCatalog) throws(QuestionError) {
        try self.init(question: .object(try PolicyReplay.question(of: record, inputs: inputs)), catalog: catalog)
    }
}

/// Takes a question's members one by one and refuses what is left over.
struct QuestionReader {
    private var reader: CatalogReader
    private let base: String

    init(_ value: JSONValue, at path: String) throws(QuestionError) {
        guard case .object(let object) = value else {
            throw QuestionError(.form, path, path.isEmpty ? "A question is an object." : "This is an object.")
        }
        reader = CatalogReader(object, at: path)
        base = path
    }

    private func path(_ key: String) -> String { base.isEmpty ? key : "\(base).\(key)" }

    mutating func finish() throws(QuestionError) {
        do { try reader.finish() } catch { throw QuestionError(.form, error.path, "There is no such key here.") }
    }

    mutating func take(_ key: String) -> JSONValue? { reader.take(key) }

    mutating func text(_ key: String) throws(QuestionError) -> String? {
        do { return try reader.text(key, bytesMax: PolicyLimits.nameBytesMax) } catch {
            throw QuestionError(.form, error.path, error.message)
        }
    }

    // MARK: - The parts

    mutating func request(_ catalog: ToolCatalog) throws(QuestionError) -> DecisionRequest {
        guard let name = try text("call") else { throw QuestionError(.form, "call", "The name of a tool is missing.") }
        guard let tool = catalog[name] else { throw QuestionError(.unknownTool, "call", "There is no tool \(SafeText.shown(name)).") }
        let caller = try caller()
        let source = try source()
        let history = try steps("history") ?? []
        let called = try steps("called") ?? history
        let approvals = try steps("approvals") ?? []
        let session = SessionState(
            history: Set(history), called: Set(called), approvals: Set(approvals), counts: try counts(called))
        let now = try now()
        let arguments = try arguments(tool)
        return DecisionRequest(
            tool: tool, arguments: arguments, digest: Digest.hex(Digest.sha256(JSONValue.object(arguments).canonicalBytes)),
            caller: caller, callID: "call_1", parentCallID: source == .code ? "call_0" : nil, source: source, session: session, now: now)
    }

    private mutating func arguments(_ tool: ToolDefinition) throws(QuestionError) -> JSONObject {
        let value = take("args") ?? [:]
        guard case .object(let arguments) = value else { throw QuestionError(.form, "args", "The arguments are an object.") }
        do {
            try tool.schema.root.withoutSecrets.validate(.object(arguments.withoutSecrets(by: tool.schema.root)), at: ArgumentPath())
        } catch {
            throw QuestionError(.arguments(error), error.path.isEmpty ? "args" : "args.\(error.path)", error.message)
        }
        return arguments
    }

    private mutating func caller() throws(QuestionError) -> CallerIdentity {
        var identity = try QuestionReader(take("as") ?? [:], at: "as")
        guard let org = try? OrgID(try identity.text("org") ?? "acme") else {
            throw QuestionError(.form, "as.org", "An organisation is a name without blanks and / { }.")
        }
        let project = try identity.text("project") ?? "web"
        let user = try identity.text("user") ?? "anna"
        let key = try identity.text("key")
        var roles: Set<String> = []
        switch identity.take("roles") {
        case nil: break
        case .array(let names)?:
            for name in names {
                guard case .string(let role) = name else { throw QuestionError(.form, "as.roles", "Roles are a list of names.") }
                roles.insert(role)
            }
        default: throw QuestionError(.form, "as.roles", "Roles are a list of names.")
        }
        try identity.finish()
        var run = try QuestionReader(take("run") ?? [:], at: "run")
        let id = try run.text("id") ?? "run_1"
        let conversation = try run.text("conversation")
        try run.finish()
        return CallerIdentity(org: org, project: project, user: user, key: key, roles: roles, run: id, conversation: conversation)
    }

    private mutating func source() throws(QuestionError) -> CallSource {
        guard let text = try text("source") else { return .model }
        guard let source = CallSource(rawValue: text) else { throw QuestionError(.form, "source", "It is model or code.") }
        return source
    }

    private mutating func steps(_ key: String) throws(QuestionError) -> [SessionState.Step]? {
        guard let value = take(key) else { return nil }
        let form = QuestionError(.form, key, "It is a list of at most \(SupervisorLimits.sessionCallsMax) {tool, key}.")
        guard case .array(let entries) = value, entries.count <= SupervisorLimits.sessionCallsMax else { throw form }
        var steps: [SessionState.Step] = []
        for (index, entry) in entries.enumerated() {
            var reader = try QuestionReader(entry, at: "\(key)[\(index)]")
            guard let tool = try reader.text("tool") else { throw form }
            // The key is a text of the arguments, which may be long.
            guard let subject = reader.take("key") else { throw form }
            guard case .string(let subject) = subject else { throw form }
            try reader.finish()
            steps.append(SessionState.Step(tool: tool, key: subject))
        }
        return steps
    }

    private mutating func counts(_ called: [SessionState.Step]) throws(QuestionError) -> [String: Int64] {
        guard let value = take("counts") else { return called.reduce(into: [:]) { $0[$1.tool, default: 0] += 1 } }
        guard case .object(let object) = value else { throw QuestionError(.form, "counts", "They are {tool: number}.") }
        var counts: [String: Int64] = [:]
        for member in object.members {
            guard case .integer(let count) = member.value, count >= 0 else {
                throw QuestionError(.form, "counts", "They are {tool: number}, and not negative.")
            }
            counts[member.key] = count
        }
        return counts
    }

    private mutating func now() throws(QuestionError) -> Int64 {
        // 2026-01-01T12:00:00Z.
        guard let text = try text("now") else { return 1_767_268_800_000 }
        guard let now = UTCText.milliseconds(text) else {
            throw QuestionError(.form, "now", "A moment is written like 2026-11-28T09:00:00Z.")
        }
        return now
    }
}
