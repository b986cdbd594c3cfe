internal import Synchronization

/// Writes what one tool call tells into the run's log.
///
/// Tools tell from any thread. The machine is in a `Mutex` that is held while the log is appended to: that orders the steps, and
/// puts the last one last. What the log calls then only sets a flag (``RunLog/subscribe(onAdvance:)``).
final class ToolTeller: Sendable {
    private struct State {
        var telling: ToolTelling
        var hasTimer = false
    }

    private let run: Run
    private let approvals: @Sendable (Int) -> Void
    private let state: Mutex<State>

    /// - Parameter approvals: called when so many more approvals are waited for, or fewer.
    init(_ call: ToolCall, run: Run, approvals: @escaping @Sendable (Int) -> Void) {
        self.run = run
        self.approvals = approvals
        state = Mutex(State(telling: ToolTelling(call, run.parts.limits)))
    }

    func tell(_ news: ToolNews) {
        act { telling, now, left in telling.take(news, now: now, runLeft: &left) }
        flushLater()
    }

    /// Tells the step that ends the call, as the last one.
    ///
    /// - Returns: false when it had ended before.
    func end(with step: RunStep) -> Bool {
        var isFirst = false
        act { telling, now, left in
            isFirst = !telling.isOver
            let outputs = telling.end(now: now, runLeft: &left)
            return isFirst ? outputs + [.append(.step(step))] : []
        }
        return isFirst
    }

    private func act(_ change: (inout ToolTelling, Int64, inout Int) -> [ToolTelling.Output]) {
        let now = run.parts.clock.nowNanoseconds
        state.withLock { state in
            for output in run.toolProgressLeft.withLock({ change(&state.telling, now, &$0) }) {
                switch output {
                case .append(let body): run.append(body)
                case .approvals(let change): approvals(change)
                }
            }
        }
    }

    /// What is held back is told when its time has come, unless something else comes first.
    private func flushLater() {
        let due: Int64? = state.withLock { state in
            guard !state.hasTimer, let due = state.telling.flushDue else { return nil }
            state.hasTimer = true
            return due
        }
        guard let due else { return }
        // Ends by itself, within the interval; after the call's end it finds nothing.
        Task {
            await run.parts.clock.sleep(until: due)
            state.withLock { $0.hasTimer = false }
            act { telling, now, left in telling.isOver ? [] : telling.flush(now: now, runLeft: &left) }
            flushLater()
        }
    }
}
