internal import Accounting
internal import Digest
internal import Logging
internal import Supervisor
internal import Telemetry

/// Meets the supervisor's ``DecisionLog`` with the decision store: a decision is durable before anything is called.
struct DecisionLogBinding: DecisionLog {
    /// Of no arguments: the name alone was refused, before they were written.
    private static let nothing = Digest.hex(Digest.sha256([]))

    let writer: DecisionWriter
    let metrics: ToolMetrics
    let logger: Logger

    func record(_ record: DecisionRecord) async -> Bool {
        do {
            let decision = try ToolDecision(
                id: record.id, path: TenancyPath(of: record.caller), run: record.caller.run, callID: record.callID,
                parentCallID: record.parentCallID, source: record.source == .code ? .code : .model, tool: record.tool,
                argumentsDigest: record.argumentsDigest ?? Self.nothing, arguments: record.arguments,
                decision: record.decision == .allow ? .allow : .deny, rule: record.rule, code: record.code, message: record.message,
                roles: record.caller.roles.sorted(), at: Milliseconds(record.time), conversation: record.caller.conversation,
                subject: record.subject, approval: record.approval, details: record.details)
            if await writer.append(decision) { return true }
        } catch {
            logger.error("a decision cannot be written", metadata: ["fault": "\(error)", "run.id": "\(record.caller.run)"])
        }
        metrics.decisionsNotLogged.add()
        return false
    }

    func record(_ outcome: DecisionOutcome, of caller: CallerIdentity) async {
        let status: ToolOutcome.Status =
            switch outcome.status {
            case .ok: .ok
            case .error: .error
            case .cancelled: .cancelled
            case .timeout: .timeout
            case .unknown: .unknown
            }
        do {
            let row = try ToolOutcome(
                org: caller.org, decision: outcome.id, status: status, code: outcome.code, resultDigest: outcome.resultDigest,
                bytes: Int64(outcome.bytes), elapsed: Milliseconds(outcome.elapsed.wholeMilliseconds), at: WallClock.now())
            if await writer.append(row) { return }
        } catch {
            logger.error("an outcome cannot be written", metadata: ["fault": "\(error)", "run.id": "\(caller.run)"])
        }
        metrics.decisionsNotLogged.add()
    }
}

extension TenancyPath {
    /// The caller's place among the budgets.
    init(of caller: CallerIdentity) throws {
        try self.init(org: caller.org, project: caller.project, user: caller.user.isEmpty ? nil : caller.user, key: caller.key)
    }
}

extension Duration {
    var wholeMilliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
}
