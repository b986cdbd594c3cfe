internal import Accounting
internal import Synchronization
internal import Transport

/// The sockets by the API key that each has shown: a socket outlives a handshake, and so could outlive its key.
///
/// A `Mutex` held for a few lines guards the table, which the server's bound of sockets bounds; one task looks the keys up.
final class KeySockets: Sendable {
    /// How long a socket may stay after its key was blocked, revoked or has expired. What it asks for is refused at once.
    private static let pause = Duration.seconds(1)

    private struct State {
        var keys: [String: String] = [:]
        var sockets: [String: [String: Socket]] = [:]
    }

    private let state = Mutex(State())
    private let keys: any KeyStore

    init(_ keys: any KeyStore) { self.keys = keys }

    /// Until it is gone. The sockets of tokens are not kept: a token ends by its own time.
    func opened(_ socket: Socket, _ principal: Principal) {
        guard !principal.isToken else { return }
        state.withLock { state in
            state.keys[socket.id] = principal.keyID
            state.sockets[principal.keyID, default: [:]][socket.id] = socket
        }
        socket.onDisconnect { [self] _ in state.withLock { _ = Self.remove(socket, &$0) } }
    }

    /// It has shown another credential.
    func refreshed(_ socket: Socket, _ principal: Principal) {
        state.withLock { state in
            // One that has gone meanwhile does not come back.
            guard Self.remove(socket, &state), !principal.isToken else { return }
            state.keys[socket.id] = principal.keyID
            state.sockets[principal.keyID, default: [:]][socket.id] = socket
        }
    }

    private static func remove(_ socket: Socket, _ state: inout State) -> Bool {
        guard let key = state.keys.removeValue(forKey: socket.id) else { return false }
        state.sockets[key]?[socket.id] = nil
        if state.sockets[key]?.isEmpty ?? false { state.sockets[key] = nil }
        return true
    }

    /// Looks until the task is cancelled. A store that does not answer ends nobody's socket.
    func run() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// Ends the sockets whose key is refused now.
    func look() async {
        let ids = state.withLock { Array($0.sockets.keys) }
        for start in stride(from: 0, to: ids.count, by: StoreLimits.page) {
            let part = Array(ids[start..<min(start + StoreLimits.page, ids.count)])
            guard let refused = try? await keys.refused(of: part, at: WallClock.now()) else { return }
            for id in refused {
                for socket in state.withLock({ $0.sockets[id]?.values.map { $0 } ?? [] }) { socket.disconnect() }
            }
        }
    }
}
