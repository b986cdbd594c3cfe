internal import JSON
internal import Synchronization

/// Makes one call at its tool and comes back at the deadline at the latest, and a grace later, whatever the tool does.
///
/// The tool runs in an unstructured task, because a child task would keep its parent until it ends, and a tool may never end. State is in
/// a `Mutex`, held for a step of the machine.
final class Dispatch: Sendable {
    private struct State {
        var machine = DispatchMachine()
        var tasks: [Task<Void, Never>] = []
        var tool: Task<Void, Never>?
        var continuation: CheckedContinuation<DispatchMachine.Ending, Never>?
    }

    private let adapter: any ToolAdapter
    private let call: AdmittedCall
    private let clock: any SupervisorClock
    private let abandonedIsDone: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameter abandonedIsDone: called when a tool ends that was abandoned; never, when it never ends.
    init(adapter: any ToolAdapter, call: AdmittedCall, clock: any SupervisorClock, abandonedIsDone: @escaping @Sendable () -> Void) {
        self.adapter = adapter
        self.call = call
        self.clock = clock
        self.abandonedIsDone = abandonedIsDone
    }

    /// Called once.
    func run() async -> DispatchMachine.Ending {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.continuation = continuation }
                handle(.begun)
            }
        } onCancel: {
            handle(.cancelled)
        }
    }

    private func handle(_ event: DispatchMachine.Event) {
        var ending: DispatchMachine.Ending?
        var continuation: CheckedContinuation<DispatchMachine.Ending, Never>?
        var isDoneLate = false
        // Tasks are made under the lock, so that a cancellation cannot come between a task and its place here.
        let cancelled = state.withLock { state -> [Task<Void, Never>] in
            var cancelled: [Task<Void, Never>] = []
            for action in state.machine.handle(event) {
                switch action {
                case .startTool:
                    state.tool = Task { await self.runTool() }
                    state.tasks.append(timer(clock.nowNanoseconds + call.deadline.boundedNanoseconds, .deadlinePassed))
                case .startGrace:
                    let grace = SupervisorLimits.cancellationGrace.boundedNanoseconds
                    state.tasks.append(timer(clock.nowNanoseconds + grace, .gracePassed))
                case .cancelTool:
                    if let tool = state.tool { cancelled.append(tool) }
                case .finish(let reached):
                    ending = reached
                    continuation = state.continuation
                    state.continuation = nil
                    cancelled += state.tasks
                    state.tasks = []
                case .releaseAbandoned: isDoneLate = true
                }
            }
            return cancelled
        }
        for task in cancelled { task.cancel() }
        if let ending { continuation?.resume(returning: ending) }
        if isDoneLate { abandonedIsDone() }
    }

    private func timer(_ due: Int64, _ event: DispatchMachine.Event) -> Task<Void, Never> {
        Task {
            await clock.sleep(until: due)
            // A timer that was cancelled wakes early.
            guard !Task.isCancelled else { return }
            self.handle(event)
        }
    }

    private func runTool() async {
        let result: Result<JSONValue, ToolFailure>
        do { result = .success(try await adapter.call(call)) } catch { result = .failure(error) }
        handle(.returned(result))
    }
}
