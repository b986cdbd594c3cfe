/// Why an Engine.IO session ended (E17), in the words that clients and handlers of the ecosystem know.
package enum CloseReason: String, Sendable, Hashable, CaseIterable {
    case transportError = "transport error"
    case transportClose = "transport close"
    case forcedClose = "forced close"
    case pingTimeout = "ping timeout"
    case parseError = "parse error"
    case serverShutdown = "server shutting down"
    /// Ours: the reader was so slow that its queue reached the limit.
    case slowConsumer = "slow consumer"
    /// Ours: the client sent more than ``RateLimits`` let it.
    case rateLimited = "rate limited"
    /// Ours: it has lived as long as ``ConnectionLifetime`` lets it.
    case lifetimeReached = "lifetime reached"
    /// Ours: its credential has expired, and no other one has come.
    case expired = "connection expired"

    /// The WebSocket close code (RFC 6455 §7.4.1). Engine.IO clients reconnect after any.
    var webSocketCode: UInt16 {
        switch self {
        case .serverShutdown, .lifetimeReached: 1001
        case .parseError, .transportError: 1002
        case .slowConsumer, .rateLimited, .expired: 1008
        case .transportClose, .forcedClose, .pingTimeout: 1000
        }
    }
}
