public import JSON
internal import NIOCore

/// What is about to be done with many sockets (S20). An immutable value: each method gives another one, so that an
/// operator can be kept and used again.
///
/// ```swift
/// let team = namespace.to("team")
/// team.emit("news", ["hello"])
/// let answers = try await team.timeout(.seconds(2)).emitWithAck("ready?")
/// ```
public struct BroadcastOperator: Sendable {
    let namespace: Namespace
    private(set) var target: BroadcastTarget
    private(set) var flags: EmitFlags
    private var isLocal = false
    private var timeout: Duration?

    init(_ namespace: Namespace, target: BroadcastTarget = BroadcastTarget(), flags: EmitFlags = EmitFlags()) {
        self.namespace = namespace
        self.target = target
        self.flags = flags
    }

    // MARK: Operators

    /// Also the members of these rooms. An empty list names nobody: `to([])` alone reaches no socket.
    public func to(_ rooms: [String]) -> BroadcastOperator { changed { $0.target.rooms = ($0.target.rooms ?? []) + rooms } }
    /// Also the members of these rooms.
    public func to(_ rooms: String...) -> BroadcastOperator { to(rooms) }
    /// The same as ``to(_:)-([String])``, for sentences like `in("room").disconnectSockets()`.
    public func `in`(_ rooms: [String]) -> BroadcastOperator { to(rooms) }
    /// Also the members of these rooms.
    public func `in`(_ rooms: String...) -> BroadcastOperator { to(rooms) }
    /// But not the members of these rooms.
    public func except(_ rooms: [String]) -> BroadcastOperator { changed { $0.target.except += rooms } }
    /// But not the members of these rooms.
    public func except(_ rooms: String...) -> BroadcastOperator { except(rooms) }
    /// Only sockets of this server, in a cluster.
    public var local: BroadcastOperator { changed { $0.isLocal = true } }
    /// An event that may be left out: while a socket's transport cannot take it only the latest volatile event is kept
    /// (S21), and it may then come after others that were emitted later.
    public var volatile: BroadcastOperator { changed { $0.flags.isVolatile = true } }
    /// Whether compression is worth while. This version negotiates none: the wish is handed to the cluster's other servers.
    public func compress(_ isOn: Bool) -> BroadcastOperator { changed { $0.flags.compresses = isOn } }
    /// How long acknowledgements, and other servers, are waited for.
    public func timeout(_ timeout: Duration) -> BroadcastOperator { changed { $0.timeout = timeout } }

    private func changed(_ change: (inout BroadcastOperator) -> Void) -> BroadcastOperator {
        var copy = self
        change(&copy)
        return copy
    }

    // MARK: Actions

    /// Sends an event, encoded and framed once, with one hop for each event loop. Reserved names (S3) are not sent.
    public func emit(_ event: String, _ arguments: [JSONValue] = []) {
        guard namespace.mayEmit(event) else { return }
        run(.emit(event, arguments, target, flags))
    }

    /// Sends an event and waits until every receiver has answered (S23). Of each answer the first argument is kept, null
    /// when there is none; the order is that of arrival. Never volatile.
    ///
    /// - Throws: ``IncompleteAnswers`` with the answers that came and the number of those that did not: because the time
    ///   was over (`ackTimeout` of the configuration unless ``timeout(_:)`` says otherwise), or because sockets left.
    public func emitWithAck(_ event: String, _ arguments: [JSONValue] = []) async throws(IncompleteAnswers) -> [JSONValue] {
        guard namespace.mayEmit(event) else { throw IncompleteAnswers(.reservedName) }
        guard !Task.isCancelled else { throw IncompleteAnswers(.cancelled) }
        guard namespace.beginAsking() else { throw IncompleteAnswers(.tooManyOutstanding) }
        defer { namespace.endAsking() }
        let timeout = timeout ?? namespace.services.ackTimeout
        async let others = othersAnswers(.emit(event, arguments, target, flags), timeout)
        var gathered = await namespace.ask(event, arguments, target, timeout: timeout)
        gathered.add(await others)
        guard gathered.missing == 0 else { throw gathered.error }
        return gathered.answers
    }

    /// The sockets as they are now. A server of the cluster that does not answer in time is left out.
    public func fetchSockets() async -> [RemoteSocket] {
        let timeout = timeout ?? .seconds(TransportLimits.clusterAnswerSeconds)
        async let others = othersAnswers(.fetchSockets(target), timeout)
        let snapshots = await namespace.snapshots(of: target) + others.sockets
        return snapshots.map { RemoteSocket($0, namespace: namespace) }
    }

    /// Makes the sockets join rooms.
    public func socketsJoin(_ rooms: [String]) { run(.join(rooms, target)) }
    /// Makes the sockets join rooms.
    public func socketsJoin(_ rooms: String...) { socketsJoin(rooms) }

    /// Makes the sockets leave rooms.
    public func socketsLeave(_ rooms: [String]) { run(.leave(rooms, target)) }
    /// Makes the sockets leave rooms.
    public func socketsLeave(_ rooms: String...) { socketsLeave(rooms) }

    /// Disconnects the sockets from the namespace; with `closingSessions` their sessions are closed too (S16).
    public func disconnectSockets(closingSessions: Bool = false) { run(.disconnect(closingSessions: closingSessions, target)) }

    private func run(_ command: ClusterCommand) {
        if !isLocal, namespace.services.recovery?.send(command, in: namespace.name) == true { return }
        namespace.perform(command)
        if !isLocal { namespace.services.cluster?.send(command, namespace: namespace.name) }
    }

    private func othersAnswers(_ question: ClusterQuestion, _ timeout: Duration) async -> ClusterAnswers {
        guard !isLocal, let cluster = namespace.services.cluster else { return ClusterAnswers() }
        return await cluster.ask(question, namespace: namespace.name, timeout: timeout)
    }
}
