public import JSON
internal import NIOCore
internal import Synchronization

/// One namespace: its middlewares, its handlers, and the rooms of its sockets (S10–S20).
///
/// Register everything before clients connect: a socket keeps the handlers that there were when it joined. A `Mutex`
/// guards the table; handlers run on the event loop of their socket, in wire order, and must not block.
public final class Namespace: Sendable {
    public typealias Middleware = @Sendable (Handshake) async throws(ConnectRefusal) -> any Sendable
    public typealias ConnectHandler = @Sendable (Socket) -> Void
    public typealias EventHandler = @Sendable (Socket, [JSONValue], Acknowledgement?) -> Void
    public typealias AnyHandler = @Sendable (Socket, String, [JSONValue]) -> Void

    /// What is registered. Immutable, shared by the sockets that joined while it held.
    final class Table: Sendable {
        let middlewares: [Middleware]
        let connect: [ConnectHandler]
        let events: [String: EventHandler]
        let any: [AnyHandler]

        init(middlewares: [Middleware] = [], connect: [ConnectHandler] = [], events: [String: EventHandler] = [:], any: [AnyHandler] = []) {
            self.middlewares = middlewares
            self.connect = connect
            self.events = events
            self.any = any
        }
    }

    public let name: String
    private let registered = Mutex(Table())
    private let shards: [(eventLoop: any EventLoop, shard: NIOLoopBoundBox<NamespaceShard>)]

    init(name: String, eventLoops: [any EventLoop]) {
        self.name = name
        shards = eventLoops.map { ($0, NIOLoopBoundBox.makeBoxSendingValue(NamespaceShard(), eventLoop: $0)) }
    }

    var table: Table { registered.withLock { $0 } }

    func shard(of eventLoop: any EventLoop) -> NamespaceShard? {
        shards.first { $0.eventLoop === eventLoop }?.shard.value
    }

    // MARK: Registration

    /// Adds a middleware. They run one after the other before a socket joins; the value of the last one becomes
    /// ``Socket/context``, and the first refusal ends the attempt (S13).
    public func use(_ middleware: @escaping Middleware) {
        registered.withLock {
            $0 = Table(middlewares: $0.middlewares + [middleware], connect: $0.connect, events: $0.events, any: $0.any)
        }
    }

    /// Called after the socket has joined: what the handler emits follows the CONNECT packet (S11).
    public func onConnect(_ handler: @escaping ConnectHandler) {
        registered.withLock {
            $0 = Table(middlewares: $0.middlewares, connect: $0.connect + [handler], events: $0.events, any: $0.any)
        }
    }

    /// Sets the handler of an event. The acknowledgement is nil when the client does not ask for one.
    public func on(_ event: String, _ handler: @escaping EventHandler) {
        registered.withLock {
            $0 = Table(
                middlewares: $0.middlewares, connect: $0.connect, events: $0.events.merging([event: handler]) { $1 }, any: $0.any)
        }
    }

    /// Hears of every event, before its handler.
    public func onAny(_ handler: @escaping AnyHandler) {
        registered.withLock {
            $0 = Table(middlewares: $0.middlewares, connect: $0.connect, events: $0.events, any: $0.any + [handler])
        }
    }

    // MARK: Broadcast

    /// Sends an event to the members of `rooms`, or to all sockets when there is none, and to nobody in `except`
    /// (S20). Any thread; encoded and framed once, one hop for each event loop.
    public func emit(_ event: String, _ arguments: [JSONValue] = [], to rooms: [String] = [], except: [String] = []) {
        guard Socket.mayEmit(event) else { return }
        let frames = PacketFrames.event(event, arguments, namespace: name)
        for (eventLoop, shard) in shards {
            if eventLoop.inEventLoop {
                shard.value.deliver(frames, to: rooms, except: except)
            } else {
                eventLoop.execute { shard.value.deliver(frames, to: rooms, except: except) }
            }
        }
    }
}
