internal import JSON

/// Sending events of a type. A value that is not JSON is an ``EventFault`` and nothing is sent; what is not a number in a `Double`, and
/// what refers to itself, are such values.
extension Socket {
    /// Sends an event. See ``emit(_:_:)-(String,_)``.
    public func emit<each Argument>(_ event: Event<repeat each Argument>, _ arguments: repeat each Argument) {
        guard let written = namespace.written(event, repeat each arguments, of: self) else { return }
        emit(event.name, written)
    }

    /// Sends an event and waits for the client's answer.
    ///
    /// - Parameter timeout: `ackTimeout` of the configuration unless given.
    /// - Throws: ``AcknowledgementError``; its ``AcknowledgementError/undecodable(_:)`` when the answer is of another type.
    public func emitWithAck<Answer, each Argument>(
        _ question: Question<Answer, repeat each Argument>, _ arguments: repeat each Argument, timeout: Duration? = nil
    ) async throws(AcknowledgementError) -> Answer {
        let written = try namespace.asked(question.event, repeat each arguments, of: self)
        return try namespace.answer(to: question, in: try await emitWithAck(question.event.name, written, timeout: timeout), self)
    }
}

extension SocketOperator {
    /// Sends an event. See ``Socket/emit(_:_:)-(String,_)``.
    public func emit<each Argument>(_ event: Event<repeat each Argument>, _ arguments: repeat each Argument) {
        guard let written = socket.namespace.written(event, repeat each arguments, of: socket) else { return }
        emit(event.name, written)
    }

    /// Sends an event and waits for the client's answer. Never volatile.
    ///
    /// - Throws: ``AcknowledgementError``; its ``AcknowledgementError/undecodable(_:)`` when the answer is of another type.
    public func emitWithAck<Answer, each Argument>(
        _ question: Question<Answer, repeat each Argument>, _ arguments: repeat each Argument
    ) async throws(AcknowledgementError) -> Answer {
        let written = try socket.namespace.asked(question.event, repeat each arguments, of: socket)
        return try socket.namespace.answer(to: question, in: try await emitWithAck(question.event.name, written), socket)
    }
}

extension BroadcastOperator {
    /// Sends an event to everybody who is meant, encoded once. See ``emit(_:_:)-(String,_)``.
    public func emit<each Argument>(_ event: Event<repeat each Argument>, _ arguments: repeat each Argument) {
        guard let written = namespace.written(event, repeat each arguments, of: nil) else { return }
        emit(event.name, written)
    }

    /// Sends an event and waits until every receiver has answered, in the order of arrival. See ``emitWithAck(_:_:)-(String,_)``.
    ///
    /// - Throws: ``IncompleteAnswers`` with the answers that came, as JSON. One of another type counts as missing.
    public func emitWithAck<Answer, each Argument>(
        _ question: Question<Answer, repeat each Argument>, _ arguments: repeat each Argument
    ) async throws(IncompleteAnswers) -> [Answer] {
        let written: [JSONValue]
        do throws(AcknowledgementError) {
            written = try namespace.asked(question.event, repeat each arguments, of: nil)
        } catch {
            throw IncompleteAnswers(error)
        }
        return try namespace.answers(to: question, in: try await emitWithAck(question.event.name, written))
    }
}

extension Namespace {
    /// Sends an event to all sockets. See ``BroadcastOperator``.
    public func emit<each Argument>(_ event: Event<repeat each Argument>, _ arguments: repeat each Argument) {
        everyone.emit(event, repeat each arguments)
    }

    /// Asks all sockets. See ``BroadcastOperator``.
    public func emitWithAck<Answer, each Argument>(
        _ question: Question<Answer, repeat each Argument>, _ arguments: repeat each Argument
    ) async throws(IncompleteAnswers) -> [Answer] {
        try await everyone.emitWithAck(question, repeat each arguments)
    }
}

extension DynamicNamespace {
    /// Sends an event to all sockets of all children.
    public func emit<each Argument>(_ event: Event<repeat each Argument>, _ arguments: repeat each Argument) {
        for child in children { child.emit(event, repeat each arguments) }
    }
}

extension RemoteSocket {
    /// Sends an event to the socket, wherever it lives.
    public func emit<each Argument>(_ event: Event<repeat each Argument>, _ arguments: repeat each Argument) {
        receiver.emit(event, repeat each arguments)
    }
}

extension Namespace {
    /// The arguments as they leave; nil when a value is not JSON, which has been reported then.
    fileprivate func written<each Argument>(
        _ event: Event<repeat each Argument>, _ arguments: repeat each Argument, of socket: Socket?
    ) -> [JSONValue]? {
        do throws(AcknowledgementError) {
            return try asked(event, repeat each arguments, of: socket)
        } catch {
            return nil
        }
    }

    fileprivate func asked<each Argument>(
        _ event: Event<repeat each Argument>, _ arguments: repeat each Argument, of socket: Socket?
    ) throws(AcknowledgementError) -> [JSONValue] {
        do throws(JSONCodingError) {
            return try event.written(repeat each arguments)
        } catch {
            report(.unencodable(error), of: event.name, socket)
            throw .unencodable(error)
        }
    }

    fileprivate func answer<Answer, each Argument>(
        to question: Question<Answer, repeat each Argument>, in arguments: [JSONValue], _ socket: Socket
    ) throws(AcknowledgementError) -> Answer {
        do throws(JSONCodingError) {
            return try question.answer(in: arguments)
        } catch {
            report(.undecodable(error), of: question.event.name, socket)
            throw .undecodable(error)
        }
    }

    fileprivate func answers<Answer, each Argument>(
        to question: Question<Answer, repeat each Argument>, in answers: [JSONValue]
    ) throws(IncompleteAnswers) -> [Answer] {
        // Two arrays, and no key path into pairs: a key path in a function with a parameter pack traps at run time (Swift 6.3).
        var kept: [JSONValue] = []
        var read: [Answer] = []
        var first: JSONCodingError?
        for answer in answers {
            do throws(JSONCodingError) {
                read.append(try question.answer(in: [answer]))
                kept.append(answer)
            } catch {
                report(.undecodable(error), of: question.event.name, nil)
                first = first ?? error
            }
        }
        guard let first else { return read }
        throw IncompleteAnswers(.undecodable(first), answers: kept, missing: answers.count - kept.count)
    }
}
