/// The life of one run: admitted → streaming ⇄ waiting → stopping → settling → complete | cut | error (design §6).
///
/// Pure. Whatever is raced against whatever, exactly one ending is settled and concluded: the first one known. What
/// was paid before that is still forwarded, so that delivered and charged agree; what was not paid is not.
public struct RunStateMachine: Sendable, Hashable {
    /// What a run that neither streams nor ends waits for.
    public enum Wait: Sendable, Hashable {
        case grant, tool, approval
    }

    public enum State: Sendable, Hashable {
        /// The lease is held; nothing was called upstream.
        case admitted
        case streaming
        case waiting(Wait)
        /// An attempt has failed before its first token; the next has not begun.
        case retrying(AttemptStep)
        /// The ending is known and the upstream is being closed.
        case stopping(RunEnding)
        /// The upstream is closed; the charge is being written.
        case settling(RunEnding)
        case ended(RunEnding)
    }

    public enum Event: Sendable, Hashable {
        /// The run's task has begun.
        case begin
        /// A delta was paid.
        case deltaPaid
        /// A delta could not be paid yet.
        case leaseEmpty
        /// The delta that waited was paid.
        case grant
        /// The model called a tool whose result the run waits for, or that a human must approve first.
        case toolCalled, approvalNeeded
        case toolAnswered
        /// Something outside the model demands the end: a cut, a kill, the client, the shutdown.
        case endRequested(RunEnding)
        case upstreamFinished(reason: String)
        case upstreamFailed(ProviderError)
        /// Reading has ended because it was told to.
        case upstreamStopped
        case settled(SettledUsage)
        /// The next attempt has a lease of its own.
        case attemptOpened
        /// The next attempt got none.
        case attemptDenied(RunEnding)
    }

    public enum Action: Sendable, Hashable {
        /// Append `chat.start` and the first `chat.usage`.
        case announce
        case callUpstream
        /// Forward the delta that was paid.
        case append
        /// Do not read on; wait for the lease.
        case awaitGrant
        /// Close the upstream now. Its reader reports `upstreamStopped`.
        case stopUpstream
        /// Settle the attempt that failed, wait, and open the next. Its opener reports `attemptOpened` or `attemptDenied`.
        case retry(AttemptStep, after: ProviderError)
        case settle(RunEnding)
        /// Append the terminal event.
        case conclude(RunEnding, SettledUsage)
    }

    public private(set) var state: State = .admitted

    /// Shared, so that the commonest transition allocates nothing.
    private static let append: [Action] = [.append]

    private var plan: AttemptPlan?
    /// Once a token was forwarded no other attempt can follow: the client would see two answers in one.
    private var hasForwarded = false

    /// - Parameter plan: the attempts that may follow the first; nil for none.
    public init(plan: AttemptPlan? = nil) { self.plan = plan }

    /// Whether an ending is already decided.
    public var isEnding: Bool {
        switch state {
        case .admitted, .streaming, .waiting, .retrying: false
        case .stopping, .settling, .ended: true
        }
    }

    public mutating func handle(_ event: Event) -> [Action] {
        switch state {
        case .streaming: handleStreaming(event)
        case .admitted: handleAdmitted(event)
        case .waiting(let wait): handleWaiting(event, for: wait)
        case .retrying: handleRetrying(event)
        case .stopping(let ending): handleStopping(event, ending)
        case .settling(let ending): handleSettling(event, ending)
        case .ended: []
        }
    }

    private mutating func handleAdmitted(_ event: Event) -> [Action] {
        switch event {
        case .begin:
            state = .streaming
            return [.announce, .callUpstream]
        case .endRequested(let ending):
            state = .stopping(ending)
            return []
        default: return []
        }
    }

    private mutating func handleStreaming(_ event: Event) -> [Action] {
        switch event {
        case .deltaPaid:
            hasForwarded = true
            return Self.append
        case .leaseEmpty: return wait(.grant, [.awaitGrant])
        case .toolCalled: return wait(.tool, [])
        case .approvalNeeded: return wait(.approval, [])
        default: return handleEnd(event)
        }
    }

    private mutating func handleWaiting(_ event: Event, for wait: Wait) -> [Action] {
        switch (event, wait) {
        case (.grant, .grant):
            state = .streaming
            hasForwarded = true
            return Self.append
        case (.approvalNeeded, .tool):
            return self.wait(.approval, [])
        case (.toolAnswered, .tool), (.toolAnswered, .approval):
            state = .streaming
            return []
        default: return handleEnd(event)
        }
    }

    private mutating func wait(_ wait: Wait, _ actions: [Action]) -> [Action] {
        state = .waiting(wait)
        return actions
    }

    private mutating func handleEnd(_ event: Event) -> [Action] {
        switch event {
        case .endRequested(let ending):
            state = .stopping(ending)
            return [.stopUpstream]
        case .upstreamFinished(let reason): return settle(.complete(finishReason: reason))
        case .upstreamFailed(let error):
            if !hasForwarded, let step = plan?.next(after: error) {
                state = .retrying(step)
                return [.retry(step, after: error)]
            }
            return settle(.error(code: ProviderError.code, message: error.message))
        case .upstreamStopped:
            return settle(.error(code: ProviderError.code, message: "the answer broke off"))
        default: return []
        }
    }

    private mutating func handleRetrying(_ event: Event) -> [Action] {
        switch event {
        case .attemptOpened:
            state = .streaming
            return [.callUpstream]
        case .attemptDenied(let ending): return settle(ending)
        case .endRequested(let ending):
            state = .stopping(ending)
            return [.stopUpstream]
        default: return []
        }
    }

    private mutating func handleStopping(_ event: Event, _ ending: RunEnding) -> [Action] {
        switch event {
        case .begin:
            state = .settling(ending)
            return [.announce, .settle(ending)]
        case .deltaPaid, .grant: return Self.append
        case .upstreamFinished, .upstreamFailed, .upstreamStopped, .attemptOpened, .attemptDenied: return settle(ending)
        default: return []
        }
    }

    private mutating func settle(_ ending: RunEnding) -> [Action] {
        state = .settling(ending)
        return [.settle(ending)]
    }

    private mutating func handleSettling(_ event: Event, _ ending: RunEnding) -> [Action] {
        guard case .settled(let usage) = event else { return [] }
        state = .ended(ending)
        return [.conclude(ending, usage)]
    }
}
