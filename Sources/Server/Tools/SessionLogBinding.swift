internal import Accounting
internal import Logging
internal import Supervisor

/// Meets the supervisor's ``SessionLog`` with the decision log: a session is what was decided and done in one conversation.
struct SessionLogBinding: SessionLog {
    let decisions: any DecisionStore
    let logger: Logger

    func calls(of caller: CallerIdentity) async -> [SessionCall]? {
        // Every run has one. Without it nobody could say what its calls were.
        guard let conversation = caller.conversation else { return nil }
        do {
            let owner = try ConversationOwner(
                org: caller.org, project: caller.project, user: caller.user.isEmpty ? nil : caller.user, key: caller.key)
            let found = try await decisions.sessionCalls(
                of: owner, conversation: conversation, limit: SupervisorLimits.sessionCallsMax)
            guard found.count <= SupervisorLimits.sessionCallsMax else { return nil }
            return found.map { SessionCall(tool: $0.tool, subject: $0.subject, isDone: $0.isDone, isApproved: $0.isApproved) }
        } catch {
            logger.error("a session cannot be read; its calls are denied", metadata: ["fault": "\(error)", "run.id": "\(caller.run)"])
            return nil
        }
    }
}
