internal import JSON
internal import Transport

/// Namespace `/console` (contract, *Socket.IO*): for administrators, the rows of `/api/admin` as they change.
struct ConsoleNamespace: Sendable {
    private struct Watcher: Sendable {
        let org: String
        let caller: Caller
    }

    let authenticator: Authenticator
    let feed: ConsoleFeed
    let door: ConsoleDoor

    func install(on namespace: Namespace) {
        namespace.use { handshake throws(ConnectRefusal) in try await connect(handshake) }
        namespace.onConnect { socket in
            guard let watcher = socket.context as? Watcher, feed.opened(watcher.org) else { return socket.disconnect() }
            socket.join(ConsoleFeed.room(watcher.org))
            door.entered(socket, watcher.caller, of: watcher.org)
            socket.onDisconnect { [id = socket.id] _ in
                door.left(id)
                feed.closed(watcher.org)
            }
            Task { await feed.snapshot(watcher.org, to: socket) }
        }
    }

    /// `auth: {token, org?}`: an operator names the organisation, everyone else administers their own.
    private func connect(_ handshake: Handshake) async throws(ConnectRefusal) -> any Sendable {
        let caller = try await SocketCredential(authenticator: authenticator).caller(of: handshake)
        let principal = caller.principal
        let org = handshake.auth["org"]?.stringValue ?? principal.org
        guard principal.administers(org: org) else {
            throw ConnectRefusal(
                message: "The console needs a key with the role admin of this organisation.", data: ["code": "role_required"])
        }
        return Watcher(org: org, caller: caller)
    }
}
