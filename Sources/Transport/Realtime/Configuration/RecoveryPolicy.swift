/// Connection state recovery (R1): whether a client that lost its connection finds its sockets again, with their ids,
/// rooms and data and the events that it missed.
public struct RecoveryPolicy: Sendable {
    /// From the end of a connection to the moment at which its sockets are forgotten.
    public let maxDisconnectionDuration: Duration
    /// True: the middlewares are not run for a socket that comes back, and ``Socket/context`` is the old one. False: they are
    /// run as for a new one, and a context that is a ``RecoveryIdentity`` must be of the same identity. In a cluster they are always run,
    /// because the old context is in the memory of another server, and this only says whether identities are compared.
    public private(set) var skipMiddlewares: Bool
    /// Events that the server keeps for those who come back.
    public let eventsMax: Int
    /// Bytes of kept events, and again of kept sockets, so that the server keeps at most twice as much.
    public let bytesMax: Int
    /// Sockets that have lost their connection and are kept.
    public let socketsMax: Int
    /// Microseconds since 1970, never less than before; nil takes the system's. Tests have their own.
    package let clock: (@Sendable () -> UInt64)?

    /// - Throws: ``TransportConfigurationError`` naming the setting that is out of range.
    public init(
        maxDisconnectionDuration: Duration = .seconds(120), skipMiddlewares: Bool = true, eventsMax: Int = 100_000,
        bytesMax: Int = 32 << 20, socketsMax: Int = 10_000
    ) throws(TransportConfigurationError) {
        try self.init(
            maxDisconnectionDuration: maxDisconnectionDuration, skipMiddlewares: skipMiddlewares, eventsMax: eventsMax,
            bytesMax: bytesMax, socketsMax: socketsMax, clock: nil)
    }

    package init(
        maxDisconnectionDuration: Duration = .seconds(120), skipMiddlewares: Bool = true, eventsMax: Int = 100_000,
        bytesMax: Int = 32 << 20, socketsMax: Int = 10_000, clock: (@Sendable () -> UInt64)?
    ) throws(TransportConfigurationError) {
        guard maxDisconnectionDuration >= .milliseconds(100), maxDisconnectionDuration <= .seconds(86_400) else {
            throw TransportConfigurationError(setting: "maxDisconnectionDuration", reason: "must lie between 100 ms and a day")
        }
        for (setting, value) in [("eventsMax", eventsMax), ("socketsMax", socketsMax)] where !(1...10_000_000).contains(value) {
            throw TransportConfigurationError(setting: setting, reason: "must lie between 1 and 10,000,000")
        }
        guard (1_024...(1 << 34)).contains(bytesMax) else {
            throw TransportConfigurationError(setting: "bytesMax", reason: "must lie between 1 KiB and 16 GiB")
        }
        self.maxDisconnectionDuration = maxDisconnectionDuration
        self.skipMiddlewares = skipMiddlewares
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
        self.socketsMax = socketsMax
        self.clock = clock
    }
}

extension RecoveryPolicy {
    /// The same, with the middlewares asked.
    var withMiddlewares: RecoveryPolicy {
        var policy = self
        policy.skipMiddlewares = false
        return policy
    }
}

/// A middleware's context that says whom it stands for. A socket is given back only to the same identity: whoever has
/// found out another's `pid` still needs that one's credential.
public protocol RecoveryIdentity: Sendable {
    /// Compared as a whole. Kept in memory, and in a cluster as a digest. Any thread.
    var recoveryIdentity: String { get }
}
