/// The limits of namespaces, broadcasts and sockets. Those of a session and a room are beside them.
extension TransportLimits {
    /// Children of one dynamic namespace (S17, attack 24). A child costs about 600 bytes and as much again for each event
    /// loop, so that a stranger with a generous pattern takes some 20 MB and no more; the reference has no bound.
    public static let dynamicNamespacesMax = 10_000
    /// Bytes of a pattern of namespaces: as long as the longest namespace.
    public static let namespacePatternBytesMax = 255
    /// Broadcasts of one namespace that wait for acknowledgements (S23). Each holds an entry of about 100 bytes for every
    /// receiver: with 10,000 receivers these are 32 MB.
    public static let broadcastAcksMax = 32
    /// Bytes of the answers that one event loop keeps for one broadcast (S23). Without it every receiver could answer
    /// with `maxPayload` bytes; an answer beyond it counts as missing.
    public static let broadcastAnswerBytesMax = 16 << 20
    /// Bytes of ``Socket/data`` (S24). It travels with every `fetchSockets`, so it is for names and roles, not for
    /// documents.
    public static let socketDataBytesMax = 16 * 1024
    /// Seconds that other servers of a cluster have to answer, as in the reference's adapters (S25).
    public static let clusterAnswerSeconds: Int64 = 5
    /// Events of one socket that wait for its asynchronous handlers: several times what a person causes while one of them waits for a
    /// database. Beyond it an event is refused, so that a client that sends faster than it is served costs no memory.
    public static let waitingHandlersMax = 64
    /// Bytes of their arguments. One event alone may be as large as ``TransportConfiguration/maxPayload`` lets it be.
    public static let waitingHandlerBytesMax = 1 << 20
}
