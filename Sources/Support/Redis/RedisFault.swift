/// An error that Redis itself answered, such as `ERR Function not found`.
public struct RedisServerError: Error, Sendable, Equatable {
    /// The first word: `ERR`, `NOAUTH`, `LOADING`, `OOM`, …
    public let code: String
    public let message: String

    init(_ line: String) {
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        self.code = parts.first.map(String.init) ?? ""
        self.message = parts.count > 1 ? String(parts[1]) : ""
    }
}

/// Why a command has no reply.
public enum RedisFault: Error, Sendable, Equatable {
    /// There is no connection now; nothing was sent. Answered at once, never after a wait.
    case unreachable(String)
    /// No reply within the deadline. The command may have been executed.
    case timeout
    /// The connection ended while the command was on its way. It may have been executed.
    case lost(String)
    /// Too many commands wait on this connection; nothing was sent.
    case overloaded
    /// The connection was closed by its owner.
    case closed
    /// The command is larger than `commandBytesMax` of the configuration; nothing was sent.
    case commandTooLarge
    /// Several addresses were given, and the Redis at this one stands alone. With two that stand alone the counters would be in two
    /// halves, each of which grants the whole, so none is used.
    case notCluster(String)
    /// Redis refused the command.
    case server(RedisServerError)
    /// The reply is not RESP, or not what the command answers with.
    case malformed(String)
}
