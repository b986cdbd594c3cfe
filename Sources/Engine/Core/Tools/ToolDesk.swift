internal import Synchronization
internal import Traces

/// The tools of one round at work: starts them, waits for all of them, and stops them when the run ends or their time is over.
///
/// State is in a `Mutex` held for a few lines; nothing outside is called under it. Each call is a task of its own, which the run
/// awaits in ``answers()``, but for no longer than ``EngineLimits/toolStopGrace`` once they are stopped: a tool that does not
/// stop must not keep the run's end from its readers.
final class ToolDesk: Sendable {
    /// One call at work.
    private struct Place {
        let call: ToolCall
        let teller: ToolTeller
        let began: Int64
        /// Nil for a run that is not traced.
        let trace: ToolTrace?
        var task: Task<Void, Never>?
        var answer: ToolAnswer?
    }

    private struct State {
        var places: [Place] = []
        var clock: ToolClock
        var isStopped = false
        var waiter: CheckedContinuation<Void, Never>?
        /// Of the newest deadline; older ones find that they are not.
        var deadline = 0
        /// What waits for the deadline, and for tools that were stopped. Ended with the round.
        var deadlineTimer: Task<Void, Never>?
        var graceTimer: Task<Void, Never>?

        var isDone: Bool { places.allSatisfy { $0.answer != nil } }
    }

    /// What stands for the answer of a tool that did not stop.
    private static let abandoned = ToolAnswer(
        ToolRefusal(code: "tool_abandoned", message: "The tool was stopped and did not answer."))

    private let run: Run
    private let tools: RunTools
    private let state: Mutex<State>

    init(run: Run, tools: RunTools, clock: ToolClock) {
        self.run = run
        self.tools = tools
        state = Mutex(State(clock: clock))
    }

    private var clock: any EngineClock { run.parts.clock }

    /// Starts these calls, all at once.
    func start(_ calls: [ToolCall]) {
        let now = clock.nowNanoseconds
        state.withLock { $0.clock.begin(now) }
        setDeadline()
        let places = calls.map { call in
            Place(
                call: call, teller: ToolTeller(call, run: run) { [weak self] in self?.changeApprovals(by: $0) }, began: now,
                trace: run.parts.trace.map { ToolTrace($0.tool(call)) })
        }
        state.withLock { $0.places = places }
        for (position, place) in places.enumerated() {
            // What is sure to be refused never runs.
            if place.call.maker == .server { run.append(.step(place.call.running(bytesMax: run.parts.limits.toolStepBytesMax))) }
            let call = tools.invocation(place.call)
            let task = Task {
                let answer = await Span.within(place.trace?.span) {
                    await tools.gate.call(call) { news in
                        place.trace?.take(news)
                        place.teller.tell(news)
                    }
                }
                deliver(answer, at: position, place)
            }
            let isStopped = state.withLock { state in
                if state.places.indices.contains(position) { state.places[position].task = task }
                return state.isStopped
            }
            if isStopped { task.cancel() }
        }
    }

    /// Waits for all of them.
    ///
    /// - Returns: the answers in the order of the calls, and the clock as it stands.
    func answers() async -> (answers: [ToolAnswer], clock: ToolClock) {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if !state.isDone { state.waiter = continuation }
                return state.isDone
            }
            if isDone { continuation.resume() }
        }
        let now = clock.nowNanoseconds
        let (places, clock, timers) = state.withLock { state in
            defer { (state.places, state.deadlineTimer, state.graceTimer) = ([], nil, nil) }
            state.clock.end(now)
            state.deadline += 1
            state.isStopped = true
            return (state.places, state.clock, [state.deadlineTimer, state.graceTimer])
        }
        for timer in timers { timer?.cancel() }
        return (places.map { $0.answer ?? Self.abandoned }, clock)
    }

    /// Stops them. From any thread; idempotent.
    func stop() {
        let tasks: [Task<Void, Never>]? = state.withLock { state in
            guard !state.isStopped else { return nil }
            state.isStopped = true
            return state.places.compactMap(\.task)
        }
        guard let tasks else { return }
        for task in tasks { task.cancel() }
        let due = clock.nowNanoseconds + EngineLimits.toolStopGrace.wholeNanoseconds
        let timer = Task {
            await clock.sleep(until: due)
            if !Task.isCancelled { abandon() }
        }
        let isOver = state.withLock { state in
            state.graceTimer = timer
            return state.isDone
        }
        if isOver { timer.cancel() }
    }

    private func abandon() {
        for (position, place) in state.withLock({ $0.places }).enumerated() where place.answer == nil {
            if deliver(Self.abandoned, at: position, place) { run.parts.metrics.toolAbandoned() }
        }
    }

    /// - Returns: false when the call had ended before.
    @discardableResult
    private func deliver(_ answer: ToolAnswer, at position: Int, _ place: Place) -> Bool {
        let status: RunStep.Status = answer.isError ? .error : .completed
        let bytesMax = run.parts.limits.toolStepBytesMax
        guard place.teller.end(with: place.call.ended(status, answer.data, bytesMax: bytesMax)) else { return false }
        place.trace?.end(answer)
        run.parts.metrics.toolCallEnded(status, after: .nanoseconds(clock.nowNanoseconds - place.began))
        // The first ending that is known is the one that is told; asking for it stops the other tools.
        if let ending = answer.endsAtOnce(tools.onDeny) { _ = run.requestEnd(ending) }
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.places.indices.contains(position) else { return nil }
            state.places[position].answer = answer
            guard state.isDone else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
        return true
    }

    // MARK: Time

    private func changeApprovals(by change: Int) {
        _ = run.handle(change > 0 ? .approvalNeeded : .approvalDecided(-change))
        let now = clock.nowNanoseconds
        state.withLock { $0.clock.approvals(changedBy: change, now) }
        setDeadline()
    }

    /// Waits anew: which clock runs has changed.
    private func setDeadline() {
        let (number, due) = state.withLock { state in
            state.deadline += 1
            return (state.deadline, state.clock.due)
        }
        guard let due else { return }
        let timer = Task {
            await clock.sleep(until: due)
            let isDue = state.withLock { $0.deadline == number }
            if isDue { stop() }
        }
        let old = state.withLock { state in
            guard state.deadline == number else { return timer as Task<Void, Never>? }
            defer { state.deadlineTimer = timer }
            return state.deadlineTimer
        }
        old?.cancel()
    }
}
