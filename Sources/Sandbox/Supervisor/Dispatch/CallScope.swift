internal import Synchronization

/// What a tool may do while its call lasts: tell news and, when it runs code, make calls. Closed with the call.
///
/// Safe to use from any thread; state is in a `Mutex`.
final class CallScope: Sendable {
    private struct State {
        var isOpen = true
        var lastChild = 0
        var children: [Int: Task<CallResult, Never>] = [:]
    }

    private let told: @Sendable (ToolNews) -> Void
    private let state = Mutex(State())

    init(told: @escaping @Sendable (ToolNews) -> Void) { self.told = told }

    func tell(_ news: ToolNews) {
        guard state.withLock({ $0.isOpen }) else { return }
        told(news)
    }

    /// A number for the next call of the code; nil when the call that runs it is over.
    func nextChild() -> Int? {
        state.withLock { state in
            guard state.isOpen else { return nil }
            state.lastChild += 1
            return state.lastChild
        }
    }

    /// Makes a call that ends with this one, whoever waits for it.
    func run(_ child: Int, _ body: @escaping @Sendable () async -> CallResult) async -> CallResult {
        // Unstructured, because code's calls come from a channel and not from a task that the adapter's cancellation reaches.
        let task = state.withLock { state in
            let task = Task { await body() }
            if state.isOpen { state.children[child] = task } else { task.cancel() }
            return task
        }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        state.withLock { $0.children[child] = nil }
        return result
    }

    func close() {
        let children = state.withLock { state in
            state.isOpen = false
            defer { state.children = [:] }
            return Array(state.children.values)
        }
        for child in children { child.cancel() }
    }
}
