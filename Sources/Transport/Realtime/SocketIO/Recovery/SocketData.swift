internal import JSON
internal import Synchronization

/// What ``Socket/data`` reads: shared with the socket that takes this one's place, so that a change is kept when it is
/// made and not when the connection ends (R8). Guarded by a `Mutex`.
final class SocketData: Sendable {
    private let stored = Mutex(JSONObject())

    func withLock<Value: Sendable>(_ body: (inout JSONObject) -> Value) -> Value { stored.withLock { body(&$0) } }

    var weight: Int { stored.withLock { $0.weight } }
}
