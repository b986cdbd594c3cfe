internal import JSON

/// Handlers of events of a type. What does not decode, and what a handler throws, is in ``EventFault``.
extension HandlerScope {
    /// Sets the handler of an event. A client that asked for an acknowledgement gets an empty one when the handler has returned.
    ///
    /// Runs on the event loop of its socket, in the order of the wire (S19), and must not block.
    ///
    /// - Parameter handler: may throw an ``EventRefusal``, which is the client's answer.
    public func on<each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Void
    ) {
        on(event.name, event.handler(handler))
    }

    /// Sets the handler of an event; what it returns is the client's acknowledgement, if the client asked for one.
    ///
    /// Runs on the event loop of its socket, in the order of the wire (S19), and must not block.
    ///
    /// - Parameter handler: may throw an ``EventRefusal``, which is the client's answer.
    public func on<Answer: Encodable & Sendable, each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Answer
    ) {
        on(event.name, event.handler(handler))
    }

    /// Sets an asynchronous handler of an event. A client that asked for an acknowledgement gets an empty one when it has returned.
    ///
    /// Runs on no event loop. Those of one socket run one after the other, in the order of the wire; handlers that do not wait are not
    /// held up by them. At most ``TransportLimits/waitingHandlersMax`` wait for each other. One that the client has left is brought to its
    /// end nevertheless.
    ///
    /// - Parameter handler: may throw an ``EventRefusal``, which is the client's answer.
    public func on<each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) async throws -> Void
    ) {
        on(event.name, event.handler(handler))
    }

    /// Sets an asynchronous handler of an event; what it returns is the client's acknowledgement, if the client asked for one.
    ///
    /// Runs on no event loop. Those of one socket run one after the other, in the order of the wire; handlers that do not wait are not
    /// held up by them. At most ``TransportLimits/waitingHandlersMax`` wait for each other. One that the client has left is brought to its
    /// end nevertheless.
    ///
    /// - Parameter handler: may throw an ``EventRefusal``, which is the client's answer.
    public func on<Answer: Encodable & Sendable, each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) async throws -> Answer
    ) {
        on(event.name, event.handler(handler))
    }

    /// Hears of every ``EventFault`` with its event's name: for logs and alarms. The socket is nil of a broadcast that could not be
    /// encoded. Must not block; runs on some thread.
    public func onEventFault(_ handler: @escaping HandlerTable.FaultHandler) { register { $0.faults.append(handler) } }
}

/// Handlers of this socket alone, called after the namespace's (S18). See ``HandlerScope``.
extension Socket {
    /// Sets this socket's handler of an event. The namespace's answers first, where both answer: the first one counts.
    public func on<each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Void
    ) {
        on(event.name, event.handler(handler))
    }

    /// Sets this socket's handler of an event, whose answer is what it returns.
    public func on<Answer: Encodable & Sendable, each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Answer
    ) {
        on(event.name, event.handler(handler))
    }

    /// Sets this socket's asynchronous handler of an event, which waits for its turn among the socket's others.
    public func on<each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) async throws -> Void
    ) {
        on(event.name, event.handler(handler))
    }

    /// Sets this socket's asynchronous handler of an event, whose answer is what it returns.
    public func on<Answer: Encodable & Sendable, each Argument>(
        _ event: Event<repeat each Argument>, _ handler: @escaping @Sendable (Socket, repeat each Argument) async throws -> Answer
    ) {
        on(event.name, event.handler(handler))
    }
}
