/// Clients on their way into a namespace. Confined to the session's loop, but for what its task carries.
extension SocketConnection {
    /// A namespace that decides whether it takes the client; without a task when an old connection has to end first.
    struct Attempt {
        let name: String
        let task: Task<Void, Never>?
    }

    /// A client that wants into a namespace.
    struct Arrival: Sendable {
        let name: String
        let handshake: Handshake
        /// The socket that it wants back.
        var wish: RecoveryRequest?
        /// False once the socket's old connection was ended for it.
        var mayTakeOver = true
    }

    /// What it has decided.
    enum Verdict: Sendable {
        case unknown
        case refused(Namespace, ConnectRefusal)
        /// The context is nil when the middlewares were not asked.
        case admitted(Namespace, SharedTable, context: (any Sendable)?)
    }
}
