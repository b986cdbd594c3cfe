internal import Synchronization

/// Where approvals are asked for, decided, and waited for. One per server; the supervisor and the server's routes share it.
///
/// Safe to use from any task. The table of waiting calls is in a `Mutex`, held for a look-up; everything else is the store's. Each change
/// is tried again when somebody else changed the same approval meanwhile, and is not undone by a cancellation of the caller.
public final class ApprovalDesk: Sendable {
    /// For lists; whoever changes an approval does it here.
    public let store: any ApprovalStore
    let clock: any SupervisorClock
    private let observers: [any ApprovalObserver]
    private let metrics: any SupervisorMetrics
    private let waiters = Mutex<[String: [ObjectIdentifier: ApprovalWaiter]]>([:])

    public init(
        store: any ApprovalStore, clock: any SupervisorClock = SystemSupervisorClock(), observers: [any ApprovalObserver] = [],
        metrics: any SupervisorMetrics = NoMetrics()
    ) {
        self.store = store
        self.clock = clock
        self.observers = observers
        self.metrics = metrics
    }

    /// Takes an approver's answer.
    ///
    /// - Parameter reason: required of a deny; at most ``SupervisorLimits/approvalReasonBytesMax``.
    /// - Returns: the approval as it is now, which may go on being pending.
    public func decide(
        _ id: String, by approver: Approver, _ answer: Approval.Answer, reason: String = ""
    ) async -> Result<Approval, ApprovalRefusal> {
        await change(id, of: approver.org, by: .vote(approver, answer, reason: reason))
    }

    /// Ends a pending approval that nobody needs any longer.
    public func cancel(_ id: String, of org: OrgID) async -> Result<Approval, ApprovalRefusal> {
        await change(id, of: org, by: .cancel)
    }

    /// One step of the sweeper: expires what is due, at most ``SupervisorLimits/approvalsDueMax``.
    ///
    /// - Parameter now: milliseconds since 1970-01-01T00:00Z.
    /// - Returns: how many; nil when the store cannot be asked.
    public func expireDue(_ now: Int64) async -> Int? {
        guard let due = await store.due(before: now, limit: SupervisorLimits.approvalsDueMax) else { return nil }
        var count = 0
        for approval in due {
            if case .success(let changed) = await change(approval.id, of: approval.org, by: .tick, now: now), changed.state == .expired {
                count += 1
            }
        }
        return count
    }

    // MARK: For the pipeline

    /// Whether it is durable now, and everyone is told.
    func insert(_ approval: Approval) async -> ApprovalInsertion {
        await Task { [self] in
            let room = ApprovalRoom(run: SupervisorLimits.approvalsPerRun, org: SupervisorLimits.approvalsPerOrg)
            let answer = await store.insert(approval, room: room)
            if answer == .inserted {
                metrics.approval(approval.state)
                await tell(approval)
            }
            return answer
        }.value
    }

    /// Puts an event through the machine and the store. In a task of its own: what was decided is written whoever waits for it.
    func change(
        _ id: String, of org: OrgID, by event: ApprovalMachine.Event, now: Int64? = nil
    ) async -> Result<Approval, ApprovalRefusal> {
        await Task { [self] in
            for _ in 0..<SupervisorLimits.approvalReplaceTries {
                let current: Approval
                switch await store.approval(id, of: org) {
                case .found(let found): current = found
                case .missing: return .failure(.absent)
                case .unavailable: return .failure(Self.unavailable)
                }
                if let answer = await change(current, by: event, now: now) { return answer }
            }
            return .failure(Self.unavailable)
        }.value
    }

    /// - Returns: nil when somebody else changed it first.
    private func change(
        _ current: Approval, by event: ApprovalMachine.Event, now: Int64?
    ) async -> Result<Approval, ApprovalRefusal>? {
        let step = ApprovalMachine.handle(event, current, now: now ?? clock.unixMilliseconds)
        if let changed = step.changed {
            switch await store.replace(changed, expecting: current.version) {
            case .replaced: break
            case .conflict: return nil
            case .unavailable: return .failure(Self.unavailable)
            }
            if step.effects.contains(.end) { metrics.approval(changed.state) }
            if step.effects.contains(.tell) {
                // In this order: what a call does with an answer is logged after the answer.
                await tell(changed)
                wake(changed.id)
            }
        }
        if let refusal = step.refusal { return .failure(refusal) }
        return .success(step.changed ?? current)
    }

    private func tell(_ approval: Approval) async {
        for observer in observers { await observer.changed(approval) }
    }

    private static let unavailable = ApprovalRefusal(.unavailable, "Approvals cannot be kept at the moment; nothing was decided.")

    // MARK: Waiting

    /// A place that is woken by each change of the approval in this process; ``leave(_:_:)`` gives it back.
    func waiter(for id: String) -> ApprovalWaiter {
        let waiter = ApprovalWaiter()
        waiters.withLock { $0[id, default: [:]][ObjectIdentifier(waiter)] = waiter }
        return waiter
    }

    func leave(_ id: String, _ waiter: ApprovalWaiter) {
        waiters.withLock { waiters in
            waiters[id]?[ObjectIdentifier(waiter)] = nil
            if waiters[id]?.isEmpty == true { waiters[id] = nil }
        }
    }

    private func wake(_ id: String) {
        let woken = waiters.withLock { $0[id].map { Array($0.values) } ?? [] }
        for waiter in woken { waiter.wake() }
    }
}
