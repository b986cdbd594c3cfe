/// The life of one run: admitted → streaming ⇄ waiting → stopping → settling → complete | cut | error (design §6).
///
/// A run has several rounds where the model calls tools of the server: streaming → waiting(tool ⇄ approval) → waiting(lease) →
/// streaming. Each round is paid for by itself.
///
/// Pure. Whatever is raced against whatever, exactly one ending is settled and concluded: the first one known. What
/// was paid before that is still forwarded, so that delivered and charged agree; what was not paid is not.
public struct RunStateMachine: Sendable, Hashable {
    /// What a run that neither streams nor ends waits for.
    public enum Wait: Sendable, Hashable {
        case grant
        /// The server's tools, of which none, or some, wait for a person.
        case tool, approval
        /// The tools have answered; the next round has no lease yet.
        case lease
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

    /// What follows when the tools of a round are done.
    public enum RoundOutcome: Sendable, Hashable {
        case goOn
        case end(RunEnding)
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
        /// The model was done, and called tools of the server.
        case toolsCalled
        /// One of them waits for a person; so many no longer do.
        case approvalNeeded, approvalDecided(Int)
        case toolsAnswered(RoundOutcome)
        /// Something outside the model demands the end: a cut, a kill, the client, the shutdown.
        case endRequested(RunEnding)
        case upstreamFinished(reason: String)
        case upstreamFailed(ProviderError)
        /// Reading has ended because it was told to.
        case upstreamStopped
        case settled(SettledUsage)
        /// The next attempt, of this round or of the next, has a lease of its own.
        case attemptOpened
        /// It got none.
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
        /// Stop what the run waits for, now: the upstream, the pause between two attempts, the tools. Whoever waits for it reports as
        /// it does otherwise; of the upstream, `upstreamStopped`.
        case stopUpstream
        /// Settle the attempt that failed, wait, and open the next. Its opener reports `attemptOpened` or `attemptDenied`.
        case retry(AttemptStep, after: ProviderError)
        /// Settle the round's attempt and make its calls. Reports `toolsAnswered`.
        case callTools
        /// Open the first attempt of the next round. Reports like `retry`.
        case openRound(AttemptStep)
        case settle(RunEnding)
        /// Append the terminal event.
        case conclude(RunEnding, SettledUsage)
    }

    public private(set) var state: State = .admitted

    /// Shared, so that the commonest transition allocates nothing.
    private static let append: [Action] = [.append]

    private var plan: AttemptPlan
    /// Once a token of the round was forwarded no other attempt can follow: the client would see two answers in one.
    private var hasForwarded = false
    private var approvals = 0

    /// - Parameter plan: the attempts that may follow the first.
    public init(plan: AttemptPlan) { self.plan = plan }

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
        case .retrying: handleOpening(event)
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
        case .toolsCalled: return wait(.tool, [.callTools])
        default: return handleEnd(event)
        }
    }

    private mutating func handleWaiting(_ event: Event, for wait: Wait) -> [Action] {
        switch wait {
        case .grant:
            guard event == .grant else { return handleEnd(event) }
            state = .streaming
            hasForwarded = true
            return Self.append
        case .tool, .approval: return handleTools(event)
        case .lease: return handleOpening(event)
        }
    }

    private mutating func handleTools(_ event: Event) -> [Action] {
        switch event {
        case .approvalNeeded: approvals += 1
        case .approvalDecided(let count): approvals = max(0, approvals - count)
        case .toolsAnswered(.goOn):
            approvals = 0
            return wait(.lease, [.openRound(plan.nextRound())])
        case .toolsAnswered(.end(let ending)): return settle(ending)
        case .endRequested(let ending): return stop(ending)
        default: return []
        }
        return wait(approvals > 0 ? .approval : .tool, [])
    }

    private mutating func wait(_ wait: Wait, _ actions: [Action]) -> [Action] {
        state = .waiting(wait)
        return actions
    }

    private mutating func handleEnd(_ event: Event) -> [Action] {
        switch event {
        case .endRequested(let ending): return stop(ending)
        case .upstreamFinished(let reason): return settle(.complete(finishReason: reason))
        case .upstreamFailed(let error):
            if !hasForwarded, let step = plan.next(after: error) {
                state = .retrying(step)
                return [.retry(step, after: error)]
            }
            return settle(.error(code: ProviderError.code, message: error.message))
        case .upstreamStopped:
            return settle(.error(code: ProviderError.code, message: "the answer broke off"))
        default: return []
        }
    }

    private mutating func handleOpening(_ event: Event) -> [Action] {
        switch event {
        case .attemptOpened:
            state = .streaming
            hasForwarded = false
            return [.callUpstream]
        case .attemptDenied(let ending): return settle(ending)
        case .endRequested(let ending): return stop(ending)
        default: return []
        }
    }

    private mutating func stop(_ ending: RunEnding) -> [Action] {
        state = .stopping(ending)
        return [.stopUpstream]
    }

    private mutating func handleStopping(_ event: Event, _ ending: RunEnding) -> [Action] {
        switch event {
        case .begin:
            state = .settling(ending)
            return [.announce, .settle(ending)]
        case .deltaPaid, .grant: return Self.append
        case .upstreamFinished, .upstreamFailed, .upstreamStopped, .toolsCalled, .toolsAnswered, .attemptOpened, .attemptDenied:
            return settle(ending)
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
