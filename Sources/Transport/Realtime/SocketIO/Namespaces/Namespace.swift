public import JSON
internal import NIOCore
internal import Synchronization
internal import Telemetry
internal import TransportWire

/// One namespace: its middlewares, its handlers, and the rooms of its sockets (S10–S25). Any thread.
///
/// A `Mutex` guards what is registered; sockets and rooms are in a `NamespaceShard` for each event loop. Everything
/// that concerns many sockets begins with an operator: `namespace.to("room").except("other").emit("news")`.
public final class Namespace: HandlerScope {
    /// With its slash; `/` is the main namespace.
    public let name: String
    /// A child of a ``DynamicNamespace``.
    let isDynamic: Bool
    let services: SocketServices
    private let registered: Mutex<SharedTable>
    private let shards: [(eventLoop: any EventLoop, shard: NIOLoopBoundBox<NamespaceShard>)]
    /// One counter for all sockets, so that a broadcast can carry one id (S7).
    private let ackIDs = Atomic<UInt64>(0)
    private let asking = Atomic<Int>(0)

    init(name: String, isDynamic: Bool = false, table: SharedTable = SharedTable(), services: SocketServices) {
        self.name = name
        self.isDynamic = isDynamic
        self.services = services
        registered = Mutex(table)
        shards = services.eventLoops.map { ($0, NIOLoopBoundBox.makeBoxSendingValue(NamespaceShard(), eventLoop: $0)) }
    }

    var table: SharedTable { registered.withLock { $0 } }

    /// Changes what is registered, atomically. Sockets keep the handlers that there were when they joined.
    public func register(_ change: (inout HandlerTable) -> Void) {
        registered.withLock { table in
            var handlers = table.handlers
            change(&handlers)
            table = SharedTable(handlers)
        }
    }

    // MARK: Operators (S20)

    /// All sockets of the namespace: where the operators begin.
    public var everyone: BroadcastOperator { BroadcastOperator(self) }

    /// The members of these rooms. A socket that is in several is meant once; an empty list means nobody.
    public func to(_ rooms: [String]) -> BroadcastOperator { everyone.to(rooms) }
    /// The members of these rooms.
    public func to(_ rooms: String...) -> BroadcastOperator { everyone.to(rooms) }
    /// The members of these rooms.
    public func `in`(_ rooms: [String]) -> BroadcastOperator { everyone.to(rooms) }
    /// The members of these rooms.
    public func `in`(_ rooms: String...) -> BroadcastOperator { everyone.to(rooms) }
    /// Everybody but the members of these rooms.
    public func except(_ rooms: [String]) -> BroadcastOperator { everyone.except(rooms) }
    /// Everybody but the members of these rooms.
    public func except(_ rooms: String...) -> BroadcastOperator { everyone.except(rooms) }
    /// All sockets of this server, in a cluster.
    public var local: BroadcastOperator { everyone.local }
    /// See ``BroadcastOperator/volatile``.
    public var volatile: BroadcastOperator { everyone.volatile }
    /// See ``BroadcastOperator/compress(_:)``.
    public func compress(_ isOn: Bool) -> BroadcastOperator { everyone.compress(isOn) }
    /// How long acknowledgements, and other servers, are waited for.
    public func timeout(_ timeout: Duration) -> BroadcastOperator { everyone.timeout(timeout) }

    /// Sends an event to the members of `rooms`, or to all sockets when there is none, and to nobody in `except`
    /// (S20). Encoded and framed once, one hop for each event loop.
    public func emit(_ event: String, _ arguments: [JSONValue] = [], to rooms: [String] = [], except: [String] = []) {
        let receivers = rooms.isEmpty ? everyone : everyone.to(rooms)
        receivers.except(except).emit(event, arguments)
    }

    /// See ``BroadcastOperator/emitWithAck(_:_:)-(String,_)``.
    public func emitWithAck(_ event: String, _ arguments: [JSONValue] = []) async throws(IncompleteAnswers) -> [JSONValue] {
        try await everyone.emitWithAck(event, arguments)
    }

    /// See ``BroadcastOperator/fetchSockets()``.
    public func fetchSockets() async -> [RemoteSocket] { await everyone.fetchSockets() }
    /// Makes all sockets join rooms.
    public func socketsJoin(_ rooms: String...) { everyone.socketsJoin(rooms) }
    /// Makes all sockets leave rooms.
    public func socketsLeave(_ rooms: String...) { everyone.socketsLeave(rooms) }
    /// Disconnects all sockets; with `closingSessions` their sessions are closed too (S16).
    public func disconnectSockets(closingSessions: Bool = false) { everyone.disconnectSockets(closingSessions: closingSessions) }

    // MARK: Shards

    func shard(of eventLoop: any EventLoop) -> NamespaceShard? {
        shards.first { $0.eventLoop === eventLoop }?.shard.value
    }

    func shard(at loop: Int) -> NamespaceShard { shards[loop].shard.value }

    /// At once on the loop that this is, by one hop on every other.
    func forEachShard(_ body: @escaping @Sendable (NamespaceShard) -> Void) {
        for (eventLoop, shard) in shards {
            if eventLoop.inEventLoop {
                body(shard.value)
            } else {
                eventLoop.execute { body(shard.value) }
            }
        }
    }

    /// What each shard says, asked at the same time. A loop that has ended says nothing.
    func gather<Part: Sendable>(_ body: @escaping @Sendable (NamespaceShard) -> Part) async -> [Part] {
        let futures = shards.map { eventLoop, shard in eventLoop.submit { body(shard.value) } }
        var parts: [Part] = []
        for future in futures {
            if let part = try? await future.get() { parts.append(part) }
        }
        return parts
    }

    /// The same for what each shard says later.
    func gatherLater<Part: Sendable>(_ body: @escaping @Sendable (NamespaceShard, EventLoopPromise<Part>) -> Void) async -> [Part] {
        let futures = shards.map { eventLoop, shard in
            let promise = eventLoop.makePromise(of: Part.self)
            eventLoop.execute { body(shard.value, promise) }
            return promise.futureResult
        }
        var parts: [Part] = []
        for future in futures {
            if let part = try? await future.get() { parts.append(part) }
        }
        return parts
    }

    // MARK: Rules that all emits share

    func newAckID() -> UInt64 { ackIDs.wrappingAdd(1, ordering: .relaxed).oldValue & SocketIOPacket.maximumAckID }

    /// A place among the broadcasts that wait for answers; give it back with ``endAsking()``.
    func beginAsking() -> Bool {
        guard asking.wrappingAdd(1, ordering: .relaxed).oldValue < TransportLimits.broadcastAcksMax else {
            endAsking()
            return false
        }
        return true
    }

    func endAsking() { asking.wrappingSubtract(1, ordering: .relaxed) }

    /// False for a reserved name (S3): such an event is counted and not sent.
    func mayEmit(_ event: String) -> Bool {
        guard SocketIOPacket.isReserved(eventName: event) else { return true }
        services.refusedEmits.add()
        return false
    }
}
