package import JSON
internal import Synchronization

/// Sees the answers to one broadcast as they come (S23): another server of a cluster wants the number of receivers at once, and each
/// answer by itself. Any thread.
package final class AnswerObserver: Sendable {
    private let state: Mutex<(parts: Int, receivers: Int)>
    private let onCount: @Sendable (Int) -> Void
    package let answered: @Sendable (JSONValue) -> Void

    /// - Parameter parts: event loops that will each say how many receivers they have.
    init(parts: Int, onCount: @escaping @Sendable (Int) -> Void, answered: @escaping @Sendable (JSONValue) -> Void) {
        state = Mutex((parts, 0))
        self.onCount = onCount
        self.answered = answered
    }

    func counted(_ receivers: Int) {
        let total = state.withLock { state -> Int? in
            state.parts -= 1
            state.receivers += receivers
            return state.parts == 0 ? state.receivers : nil
        }
        if let total { onCount(total) }
    }
}
