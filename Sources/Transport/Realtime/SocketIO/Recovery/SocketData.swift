internal import JSON
internal import Synchronization

/// What ``Socket/data`` reads: shared with the socket that takes this one's place, so that a change is kept when it is
/// made and not when the connection ends (R8). Guarded by a `Mutex`.
final class SocketData: Sendable {
    private struct State {
        var stored: JSONObject
        var changed: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>

    init(_ stored: JSONObject = JSONObject()) { state = Mutex(State(stored: stored)) }

    var value: JSONObject { state.withLock { $0.stored } }

    /// Whoever keeps the data elsewhere hears of a change, on the thread that has made it; nil: nobody does.
    func onChange(_ hook: (@Sendable () -> Void)?) { state.withLock { $0.changed = hook } }

    /// - Parameter body: true when it has changed something.
    func update(_ body: (inout JSONObject) -> Bool) -> Bool {
        let (isChanged, hook) = state.withLock { state in
            let isChanged = body(&state.stored)
            return (isChanged, isChanged ? state.changed : nil)
        }
        hook?()
        return isChanged
    }

    var weight: Int { state.withLock { $0.stored.weight } }
}
