internal import Accounting
internal import JSON
internal import Transport

/// Namespace `/console` (contract, *Socket.IO*): for administrators, the rows of `/api/admin` as they change.
struct ConsoleNamespace: Sendable {
    private struct Watcher: RecoveryIdentity {
        let choice: OrgChoice
        let caller: Caller

        /// A socket has the rooms of one choice: whoever makes another gets another socket.
        var recoveryIdentity: String { "\(caller.recoveryIdentity) \(choice.name)" }
    }

    let authenticator: Authenticator
    let feed: ConsoleFeed
    let live: LiveFeed
    let door: ConsoleDoor

    func install(on namespace: Namespace) {
        namespace.use { handshake throws(ConnectRefusal) in try await connect(handshake) }
        namespace.onConnect { socket in
            guard let watcher = socket.context as? Watcher, live.opened(watcher.choice) else { return socket.disconnect() }
            let choice = watcher.choice
            // There is no event to bring another token by: the page asks for the namespace again. A chat in the same session has its grace.
            socket.expires(at: watcher.caller.principal.refusedFrom?.rawValue, ending: .namespace)
            socket.join(choice.room)
            door.entered(socket, watcher.caller, of: choice)
            socket.onDisconnect { [id = socket.id] _ in
                door.left(id)
                live.closed(choice)
            }
            Task { await live.snapshot(choice, to: socket) }
            // Decisions and approvals are one organisation's: there is no list over all of them.
            guard case .one(let org) = choice else { return }
            guard feed.opened(org) else { return socket.disconnect() }
            socket.onDisconnect { _ in feed.closed(org) }
            Task { await feed.snapshot(org, to: socket) }
        }
    }

    /// `auth: {token, org?}`: an operator names the organisation, or `*` for all; everyone else administers their own.
    private func connect(_ handshake: Handshake) async throws(ConnectRefusal) -> any Sendable {
        let caller = try await SocketCredential(authenticator: authenticator).caller(of: handshake)
        let principal = caller.principal
        let named = handshake.auth["org"]?.stringValue
        // What is no organisation's name is nobody's organisation.
        guard let choice = named.map({ OrgChoice($0) }) ?? .one(principal.org), principal.mayLook(at: choice) else {
            throw ConnectRefusal(
                message: "The console needs a key with the role admin of this organisation.", data: ["code": "role_required"])
        }
        return Watcher(choice: choice, caller: caller)
    }
}
