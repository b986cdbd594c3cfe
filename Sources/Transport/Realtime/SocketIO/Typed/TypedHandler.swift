internal import JSON

/// What happens between the wire and a handler of types.
///
/// Arguments are read on the socket's loop, in the order of the wire. A handler that does not wait is called there; one that does joins
/// its socket's ``HandlerQueue``.
enum TypedHandler {
    /// What to do when it is the handler's turn; gives the arguments of the acknowledgement.
    typealias Turn = @Sendable () async throws -> [JSONValue]

    /// - Parameter call: reads the arguments, calls the handler and gives the arguments of the acknowledgement.
    static func direct(
        _ event: String, _ call: @escaping @Sendable (Socket, [JSONValue]) throws -> [JSONValue]
    ) -> HandlerTable.EventHandler {
        { socket, arguments, acknowledgement in
            do {
                let answer = try call(socket, arguments)
                acknowledgement?.send(answer)
            } catch {
                fail(error, event, socket, acknowledgement)
            }
        }
    }

    /// - Parameter prepare: reads the arguments, on the loop.
    static func queued(
        _ event: String, _ prepare: @escaping @Sendable (Socket, [JSONValue]) throws -> Turn
    ) -> HandlerTable.EventHandler {
        { socket, arguments, acknowledgement in
            do {
                let turn = try prepare(socket, arguments)
                let isQueued = socket.enqueue(weight: arguments.reduce(0) { $0 + $1.weight }) {
                    do {
                        let answer = try await turn()
                        acknowledgement?.send(answer)
                    } catch {
                        fail(error, event, socket, acknowledgement)
                    }
                }
                if !isQueued { throw EventFault.busy }
            } catch {
                fail(error, event, socket, acknowledgement)
            }
        }
    }

    private static func fail(_ error: any Error, _ event: String, _ socket: Socket, _ acknowledgement: Acknowledgement?) {
        if let refusal = error as? EventRefusal {
            acknowledgement?.send([refusal.answer])
            return
        }
        let fault = error as? EventFault ?? .failed(error)
        socket.namespace.report(fault, of: event, socket)
        acknowledgement?.send([fault.answer])
    }

    static func written(_ answer: some Encodable) throws(EventFault) -> [JSONValue] {
        do throws(JSONCodingError) {
            return [try JSONValue(encoding: answer)]
        } catch {
            throw .unencodable(error)
        }
    }
}

/// Handlers of JSON made of the four forms that handlers of types have.
extension Event {
    func handler(_ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Void) -> HandlerTable.EventHandler {
        TypedHandler.direct(name) { [self] socket, arguments in
            let values = try read(arguments)
            try handler(socket, repeat each values)
            return []
        }
    }

    func handler<Answer: Encodable & Sendable>(
        _ handler: @escaping @Sendable (Socket, repeat each Argument) throws -> Answer
    ) -> HandlerTable.EventHandler {
        TypedHandler.direct(name) { [self] socket, arguments in
            let values = try read(arguments)
            return try TypedHandler.written(try handler(socket, repeat each values))
        }
    }

    func handler(_ handler: @escaping @Sendable (Socket, repeat each Argument) async throws -> Void) -> HandlerTable.EventHandler {
        TypedHandler.queued(name) { [self] socket, arguments in
            let values = try read(arguments)
            return {
                try await handler(socket, repeat each values)
                return []
            }
        }
    }

    func handler<Answer: Encodable & Sendable>(
        _ handler: @escaping @Sendable (Socket, repeat each Argument) async throws -> Answer
    ) -> HandlerTable.EventHandler {
        TypedHandler.queued(name) { [self] socket, arguments in
            let values = try read(arguments)
            return { try TypedHandler.written(try await handler(socket, repeat each values)) }
        }
    }
}
