/// Why a socket was disconnected; the raw value is the text that the ecosystem's clients and logs use (E17, S16).
public enum DisconnectReason: String, Sendable, Hashable {
    case transportError = "transport error"
    case transportClose = "transport close"
    case forcedClose = "forced close"
    case pingTimeout = "ping timeout"
    case parseError = "parse error"
    case serverShuttingDown = "server shutting down"
    case clientNamespaceDisconnect = "client namespace disconnect"
    case serverNamespaceDisconnect = "server namespace disconnect"
    /// Ours: the reader let its queue reach `queueBytesMax`.
    case slowConsumer = "slow consumer"
    /// Ours: the client sent more than ``TransportConfiguration/rateLimits`` let it.
    case rateLimited = "rate limited"
    /// Ours: the session has lived as long as ``TransportConfiguration/connectionLifetime`` lets it.
    case lifetimeReached = "lifetime reached"
    /// Ours: the time that ``Socket/expires(after:grace:ending:)`` has set is over.
    case expired = "connection expired"

    init(_ reason: CloseReason) {
        self =
            switch reason {
            case .transportError: .transportError
            case .transportClose: .transportClose
            case .forcedClose: .forcedClose
            case .pingTimeout: .pingTimeout
            case .parseError: .parseError
            case .serverShutdown: .serverShuttingDown
            case .slowConsumer: .slowConsumer
            case .rateLimited: .rateLimited
            case .lifetimeReached: .lifetimeReached
            case .expired: .expired
            }
    }
}
