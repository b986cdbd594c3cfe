/// Every bound of the adapters, and where its number comes from.
enum AdapterLimits {
    /// Redirects of one call; browsers follow 20, an interface that needs more than three is misconfigured.
    static let redirectsMax = 3
    /// Until a connection is there, TLS included.
    static let connectTimeout = Duration.seconds(5)
    /// How much of an error's body is kept: enough for its message.
    static let errorBodyBytesMax = 4 << 10
    /// Look-ups of names at the same time. Each holds a thread for as long as the system's resolver tries.
    static let resolverThreads = 4
    /// Look-ups that wait for such a thread; one more is refused.
    static let resolverWaitingMax = 256
    /// Addresses of one name that are looked at.
    static let addressesMax = 32
    /// Of them that are tried, one after the other: one of each family and one more.
    static let addressesTried = 3
    /// Hosts to which connections are kept; each has a pool of its own, because a pool is bound to the address that was checked.
    static let pinnedHostsMax = 64
    /// Of a kept connection; shorter than what servers close after, so that few calls meet a connection that is just closing.
    static let connectionIdle = Duration.seconds(15)

    /// One message of an MCP server, and one line of its standard output: the supervisor's largest result and its frame.
    static let messageBytesMax = 4 << 20
    /// Calls in flight at one MCP server: as many as one server's threads serve at once.
    static let callsPerServerMax = 64
    /// Bytes that wait to be read by a child that does not read; one more message is refused.
    static let unsentBytesMax = 8 << 20
    /// Tools that a server may list, and pages of the list.
    static let listedToolsMax = 1_000
    static let listPagesMax = 64
    /// News of progress that one call may give; the others are dropped.
    static let progressPerCallMax = 256
    /// A text that a server gives for people: a message of progress, of an error.
    static let shownTextBytesMax = 1_024
    /// MCP servers at the same time, children and sessions together.
    static let serversMax = 64
    /// The handshake and the list of tools: interpreters that load many packages take seconds.
    static let handshakeTimeout = Duration.seconds(30)
    /// Of a line of a child's standard error in the log, and of lines a minute; the others are dropped and counted.
    static let logLineBytesMax = 1_024
    static let logLinesMax = 200
    /// How long a child whose input was closed may take to end before its group is killed.
    static let childGrace = Duration.seconds(1)

    /// Tenants whose demo tables are kept, and rows of each table: a demo's memory, bounded.
    static let demoTenantsMax = 1_024
    static let demoRowsMax = 1_000
}
