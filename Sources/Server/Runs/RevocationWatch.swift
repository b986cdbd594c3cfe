internal import Accounting
internal import Engine
internal import JSON
internal import Logging
internal import Telemetry

/// Carries out what others order to cut: the command line, and the other servers of the same store.
///
/// One task owns it. A store that does not answer is asked again: an order waits, it is not lost, and nothing new is
/// admitted meanwhile either.
struct RevocationWatch: Sendable {
    /// How long an order may take to be seen. Four small reads a second a server are nothing to a store.
    static let interval = Duration.milliseconds(250)

    let store: any RevocationStore
    let coordinator: RunCoordinator
    let trail: AuditTrail
    let metrics: ServerMetrics
    let logger: Logger

    /// - Parameter start: when this process began. Older orders were for runs that are no more; one that came between then and
    ///   the first answer of the store may be for a run of ours.
    func run(since start: Milliseconds) async {
        var last: Int64 = 0
        var isCaughtUp = false
        var rounds = 0
        while !Task.isCancelled {
            do {
                let orders = try await store.after(last)
                for order in orders where isCaughtUp || order.at >= start { carryOut(order) }
                last = orders.last?.id ?? last
                guard orders.count < StoreLimits.page else { continue }
                isCaughtUp = true
                if rounds % 14_400 == 0 { try await store.forget(before: WallClock.now() - StoreLimits.revocationRetention) }
                rounds += 1
            } catch {
                metrics.revocationFailures.add()
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func carryOut(_ order: Revocation) {
        let ended = coordinator.kill(order, trail)
        guard ended > 0 else { return }
        logger.notice(
            "runs stopped by order",
            metadata: ["target": "\(order.target.text)", "author": "\(order.author)", "runs": "\(ended)"])
    }
}

extension Revocation {
    /// What was to end, and why: as a decision has it when the order was given where the run is.
    var words: String { target.text + (reason.map { ": \($0)" } ?? "") }
}

extension RunCoordinator {
    /// Cuts what this process has of it. Linear in the live runs.
    ///
    /// - Returns: how many runs were live until now.
    func kill(_ order: Revocation, _ trail: AuditTrail) -> Int {
        var description = CutDescription(reason: .killed)
        if case .scope(let scope) = order.target {
            description = CutDescription(reason: .killed, scopeKind: scope.kind.rawValue, scopeID: scope.id)
        }
        return live().count { run in
            guard let path = try? TenancyPath(of: run.handle.tenant) else { return false }
            let identity = run.handle.identity
            guard order.covers(run: identity.run.text, path: path, credential: run.handle.tenant.credential) else { return false }
            return cut(identity.run, description.decided(by: trail.killed(identity, path, by: order.author, of: order.words)))
        }
    }
}

extension AuditTrail {
    /// A run is about to be stopped by order. To stop is never held up by a log.
    ///
    /// - Returns: the decision's id.
    func killed(_ run: RunIdentity, _ path: TenancyPath, by author: String, of target: String) -> String {
        var act = Act(kind: .kill, path: path, action: "run.kill", source: .operator, run: run.run.text)
        act.conversation = run.conversation.text
        (act.decision, act.rule, act.code) = (.deny, "operator.kill", "killed")
        act.details = JSONObject([("by", .string(author)), ("target", .string(target))])
        return note(act).id
    }
}
