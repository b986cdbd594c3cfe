internal import Digest
internal import JSON

/// One call's way through the supervisor. Confined to the task that makes it.
struct Attempt {
    /// A call whose arguments fit.
    struct Checked {
        let tool: ToolDefinition
        let arguments: JSONObject
        let digest: String
        /// What may be recorded and shown of the arguments.
        let shown: JSONValue
        let redacted: [String]
        /// The thing that the call is about, as the decision log has it: see ``ToolDefinition/subject(of:in:)``.
        let subject: String?
        /// Texts among the arguments that stand masked in records, by what stands for them there as a subject.
        let masked: [String: String]
    }

    let supervisor: ToolSupervisor
    let request: CallRequest
    let told: @Sendable (ToolNews) -> Void
    /// Called at most once, when the call is about to be made.
    let checked: @Sendable (ToolDefinition, JSONValue) -> Void
    let started: Int64
    /// The catalog that the call began with, and keeps to its end.
    let standing: ToolSupervisor.Standing

    var ports: ToolSupervisor.Ports { supervisor.ports }

    init(
        _ supervisor: ToolSupervisor, _ request: CallRequest, told: @escaping @Sendable (ToolNews) -> Void,
        checked: @escaping @Sendable (ToolDefinition, JSONValue) -> Void
    ) {
        self.supervisor = supervisor
        self.request = request
        self.told = told
        self.checked = checked
        started = supervisor.ports.clock.nowNanoseconds
        standing = supervisor.standing()
    }

    func run() async -> CallResult {
        let source = CallGate.Source(request)
        switch supervisor.gate.enter(source) {
        case .entered: break
        case .sourceIsFull:
            let message = "At most \(SupervisorLimits.callsPerSource) calls may be in flight at a time."
            return await refuse(Refusal(code: RefusalCode.tooManyInFlight, message: message, rule: RuleID.inFlight))
        case .serverIsFull:
            let message = "The server makes as many calls as it can."
            return await refuse(Refusal(code: RefusalCode.supervisorBusy, message: message, rule: RuleID.inFlight))
        }
        let result: CallResult
        var goesOn = false
        do {
            let call = try check()
            (result, goesOn) = try await admit(call)
        } catch {
            result = await refuse(error.refusal, error.call, error.grounds)
        }
        supervisor.gate.leave(source)
        // An abandoned tool keeps its place in the server: it still has memory and a connection.
        if !goesOn { supervisor.gate.release() }
        return result
    }

    /// A refusal and how far the call had come.
    struct Refused: Error {
        let refusal: Refusal
        let call: Checked?
        var grounds = Grounds()
    }

    // MARK: What can be said without asking anybody

    private func check() throws(Refused) -> Checked {
        guard let tool = standing.catalog[request.tool] else {
            let message = "There is no tool \(SafeText.shown(request.tool))."
            throw Refused(refusal: Refusal(code: RefusalCode.unknownTool, message: message, rule: RuleID.unknownTool), call: nil)
        }
        if let refusal = supervisor.builtIn.refusal(of: tool, source: request.source) { throw Refused(refusal: refusal, call: nil) }
        let arguments: JSONObject
        do {
            arguments = try ArgumentReader.read(request.arguments)
            try tool.schema.validate(arguments)
        } catch {
            let details = JSONObject([("path", .string(error.path)), ("rule", .string(error.rule))])
            throw Refused(
                refusal: Refusal(
                    code: RefusalCode.badArguments, message: error.message, rule: RuleID.arguments, details: details), call: nil)
        }
        var redaction = Redaction()
        let shown = redaction.redacted(arguments, by: tool.schema)
        let digest = Digest.hex(Digest.sha256(JSONValue.object(arguments).canonicalBytes))
        let org = request.caller.org
        return Checked(
            tool: tool, arguments: arguments, digest: digest, shown: shown, redacted: redaction.paths,
            subject: tool.subject(of: arguments, in: org),
            masked: Dictionary(redaction.cards.map { (ToolDefinition.masked($0, in: org), $0) }) { first, _ in first })
    }

    // MARK: Records

    /// Records the refusal and answers it.
    func refuse(_ refusal: Refusal, _ call: Checked? = nil, _ grounds: Grounds = Grounds()) async -> CallResult {
        var refusal = refusal
        let record = record(call, .deny, rule: refusal.rule, code: refusal.code, message: refusal.message, grounds: grounds)
        refusal.decisionID = await write(record) ? record.id : nil
        ports.metrics.decided(.deny, tool: standing.catalog[request.tool]?.name ?? "unknown")
        return CallResult(outcome: .denied(refusal), decisionID: refusal.decisionID, elapsed: elapsed)
    }

    func record(
        _ call: Checked?, _ decision: DecisionRecord.Decision, rule: String, code: String? = nil, message: String = "",
        grounds: Grounds = Grounds(), id: String = DecisionID.make()
    ) -> DecisionRecord {
        var digest = call?.digest
        if digest == nil, case .text(let bytes) = request.arguments { digest = Digest.hex(Digest.sha256(bytes)) }
        let text = call.map { $0.shown.canonicalBytes }
        let isShort = (text?.count ?? 0) <= SupervisorLimits.recordedArgumentsBytesMax
        return supervisor.record(
            of: request, id: id, digest: digest, arguments: isShort ? text.map { String(decoding: $0, as: UTF8.self) } : nil,
            redacted: call?.redacted ?? [], decision: decision, rule: rule, code: code, message: message, subject: call?.subject,
            grounds: grounds)
    }

    /// In a task of its own: the caller's may be cancelled, and what was decided is written all the same.
    func write(_ record: DecisionRecord) async -> Bool {
        let log = ports.log
        return await Task { await log.record(record) }.value
    }

    var elapsed: Duration { .nanoseconds(ports.clock.nowNanoseconds - started) }

    func since(_ instant: Int64) -> Duration { .nanoseconds(ports.clock.nowNanoseconds - instant) }
}
