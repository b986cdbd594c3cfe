/// How the HTTP front listens, and how long it waits for its clients.
public struct FrontConfiguration: Sendable {
    /// Addresses to bind, all with the same port.
    public var hosts: [String] = ["127.0.0.1"]
    /// 0 takes a free port, which `onBound` tells.
    public var port = 8000
    /// Connections that the kernel may hold before we accept them.
    public var backlog: Int32 = 1024
    /// Speaks TLS on every connection; nil speaks plain HTTP/1.1.
    public var tls: TLSIdentity?
    /// The Engine.IO path: matched as an exact prefix of the request path (E1), so it ends with a slash.
    public var enginePath = "/socket.io/"

    /// Paths whose requests end when their client closes its side, as streamed answers and Engine.IO's do anyway: what is
    /// expensive is not made for a client that has gone. Elsewhere a half close is heard and the answer is given.
    public var pathsThatEndWithTheirClient: Set<String> = []

    /// Largest body of a polling POST (E22, `maxPayload`). Bytes.
    public var pollingBodyBytesMax = 1_000_000
    /// Largest body of any other request, gathered or streamed. Bytes.
    public var bodyBytesMax = 8 * 1024 * 1024
    /// Gathered bodies that are still arriving, all connections together (attack 3). What would exceed it is answered 503.
    /// 256 MiB are 256 polling bodies of the largest size at one time.
    public var arrivingBodyBytesMax = 256 * 1024 * 1024
    /// Open connections at which new ones are answered 503, and open streams of HTTP/2 at which new ones are reset. 19,000 leaves a thousand descriptors of the usual limit of
    /// 20,000 to upstream connections, stores and files. Raise it together with the limit (`LimitNOFILE`).
    public var connectionsMax = 19_000

    /// Connections of one event loop to other nodes, on which requests are sent on that belong to their sessions. Beyond it such a
    /// request is answered 503. Each takes a descriptor besides the client's, so with no sticky sessions most clients have two.
    public var relaysPerLoopMax = 4_096

    /// From the start of a connection to the end of its TLS handshake (attack 21).
    public var handshakeDeadline: Duration = .seconds(10)
    /// From the first byte of a request to the end of its header (attack 21).
    public var headerDeadline: Duration = .seconds(10)
    /// A connection without a request in progress is closed after this time.
    public var idleTimeout: Duration = .seconds(75)
    /// A body may take this long before ``bodyBytesPerSecondMin`` is asked of it (attack 21).
    public var bodyGrace: Duration = .seconds(10)
    /// Rate below which a body that is still arriving is cut: on average after the grace, and in each further ``bodyGrace``.
    public var bodyBytesPerSecondMin = 500
    /// A client that takes nothing of a response for this long is cut (attack 22). It costs us what ``FrontLimits`` lets wait, so a laptop
    /// that sleeps for a minute finds its stream again.
    public var writeProgressDeadline: Duration = .seconds(90)
    /// How long the client may take to close after its last answer.
    public var lingerDeadline: Duration = .seconds(5)
    /// How long open requests may take to finish at shutdown before they are cut.
    public var shutdownGrace: Duration = .seconds(10)
    /// How often each event loop looks for connections that have overstayed.
    public var sweepInterval: Duration = .seconds(1)

    /// The defaults, to be changed property by property.
    public init() {}
}
