public import JSON

/// Everything that an application has registered for a namespace. A value: sockets keep the one that there was when
/// they joined.
public struct HandlerTable: Sendable {
    /// Lets a client in and gives what becomes ``Socket/context``, or refuses it (S13).
    public typealias Middleware = @Sendable (Handshake) async throws(ConnectRefusal) -> any Sendable
    /// Hears of a socket that has joined.
    public typealias ConnectHandler = @Sendable (Socket) -> Void
    /// Gets the arguments of an event, and the acknowledgement if the client asked for one.
    public typealias EventHandler = @Sendable (Socket, [JSONValue], Acknowledgement?) -> Void
    /// Gets the name and the arguments of an event.
    public typealias AnyHandler = @Sendable (Socket, String, [JSONValue]) -> Void
    /// May change an event, or refuse it (S18).
    public typealias EventMiddleware = @Sendable (Socket, inout IncomingEvent) throws(EventRefusal) -> Void
    /// Hears of an event that a middleware refused.
    public typealias RefusalHandler = @Sendable (Socket, IncomingEvent, EventRefusal) -> Void
    /// Hears of a fault of a typed event, with the event's name; the socket is nil of a broadcast.
    public typealias FaultHandler = @Sendable (Socket?, String, EventFault) -> Void
    /// Answers another server of the cluster (S25).
    public typealias ServerSideHandler = @Sendable ([JSONValue]) async -> JSONValue

    var middlewares: [Middleware] = []
    var connect: [ConnectHandler] = []
    var any: [AnyHandler] = []
    var eventMiddlewares: [EventMiddleware] = []
    var events: [String: EventHandler] = [:]
    var refused: [RefusalHandler] = []
    var faults: [FaultHandler] = []
    var anyOutgoing: [AnyHandler] = []
    var serverSide: [String: ServerSideHandler] = [:]

    init() {}

    /// True when something stands before the handlers of events.
    var interceptsEvents: Bool { !any.isEmpty || !eventMiddlewares.isEmpty }
}

/// A table that its sockets share by reference.
final class SharedTable: Sendable {
    let handlers: HandlerTable

    init(_ handlers: HandlerTable = HandlerTable()) {
        self.handlers = handlers
    }
}

/// Where handlers are registered: a ``Namespace``, or a ``DynamicNamespace`` whose children inherit them (S17).
///
/// Register everything before clients connect. Handlers run on the event loop of their socket, in the order of the wire
/// (S19), and must not block: what has to wait starts a task.
public protocol HandlerScope: Sendable {
    /// Changes what is registered, atomically. The methods below are its use.
    func register(_ change: (inout HandlerTable) -> Void)
}

extension HandlerScope {
    /// Adds a middleware. They run one after the other before a socket joins; the value of the last one becomes
    /// ``Socket/context``, and the first refusal ends the attempt (S13).
    public func use(_ middleware: @escaping HandlerTable.Middleware) { register { $0.middlewares.append(middleware) } }

    /// Called after the socket has joined: what the handler emits follows the CONNECT packet (S11).
    public func onConnect(_ handler: @escaping HandlerTable.ConnectHandler) { register { $0.connect.append(handler) } }

    /// Sets the handler of an event. The acknowledgement is nil when the client does not ask for one.
    public func on(_ event: String, _ handler: @escaping HandlerTable.EventHandler) { register { $0.events[event] = handler } }

    /// Hears of every event as it came, before the middlewares of events and before its handler (S18).
    public func onAny(_ handler: @escaping HandlerTable.AnyHandler) { register { $0.any.append(handler) } }

    /// Adds a middleware of events (S18). They run one after the other, on the loop and at once, so that the order of the
    /// wire holds; each may change the arguments, and the first refusal keeps the event from its handler.
    public func useEvents(_ middleware: @escaping HandlerTable.EventMiddleware) { register { $0.eventMiddlewares.append(middleware) } }

    /// Hears of every event that a middleware refused, or ``TransportConfiguration/rateLimits``. The place to tell the client, if it is to know.
    public func onRefusedEvent(_ handler: @escaping HandlerTable.RefusalHandler) { register { $0.refused.append(handler) } }

    /// Hears of every event that is sent to a socket, once for each receiver of a broadcast, before it is sent (S18). Not
    /// of acknowledgements, of what a ``Feed`` writes, nor of a volatile event that was replaced.
    public func onAnyOutgoing(_ handler: @escaping HandlerTable.AnyHandler) { register { $0.anyOutgoing.append(handler) } }

    /// Sets the handler of an event that another server sends with `serverSideEmit` (S25). What it returns is that
    /// server's answer, if it asked for one. Runs on no event loop.
    public func onServerSide(_ event: String, _ handler: @escaping HandlerTable.ServerSideHandler) {
        register { $0.serverSide[event] = handler }
    }
}
