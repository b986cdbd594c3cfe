internal import JSON

/// The life of one call at its tool: it runs, is told to stop, and is over. Pure.
struct DispatchMachine: Sendable {
    enum StopCause: Sendable, Hashable {
        case deadline, cancelled
    }

    enum Event: Sendable {
        case begun
        case returned(Result<JSONValue, ToolFailure>)
        case deadlinePassed
        case cancelled
        case gracePassed
    }

    enum Ending: Sendable {
        /// The call was cancelled before it began.
        case notStarted
        case returned(Result<JSONValue, ToolFailure>)
        /// It was told to stop, and did.
        case stopped(StopCause, Result<JSONValue, ToolFailure>)
        /// It was told to stop, and goes on.
        case abandoned(StopCause)
    }

    enum Action: Sendable {
        case startTool
        case startGrace
        case cancelTool
        case finish(Ending)
        /// An abandoned tool is done at last.
        case releaseAbandoned
    }

    private enum Phase {
        case ready, withdrawn, running
        case stopping(StopCause)
        case abandoned, over
    }

    private var phase = Phase.ready

    mutating func handle(_ event: Event) -> [Action] {
        switch (phase, event) {
        case (.ready, .begun):
            phase = .running
            return [.startTool]
        case (.ready, .cancelled):
            phase = .withdrawn
            return []
        case (.withdrawn, .begun):
            phase = .over
            return [.finish(.notStarted)]
        case (.running, .returned(let result)):
            phase = .over
            return [.finish(.returned(result))]
        case (.running, .deadlinePassed): return stop(.deadline)
        case (.running, .cancelled): return stop(.cancelled)
        case (.stopping(let cause), .returned(let result)):
            phase = .over
            return [.finish(.stopped(cause, result))]
        case (.stopping(let cause), .gracePassed):
            phase = .abandoned
            return [.finish(.abandoned(cause))]
        case (.abandoned, .returned):
            phase = .over
            return [.releaseAbandoned]
        default: return []
        }
    }

    private mutating func stop(_ cause: StopCause) -> [Action] {
        phase = .stopping(cause)
        return [.cancelTool, .startGrace]
    }
}
