public import JSON
internal import Synchronization

/// The answer that a client waits for (S7). Any thread may give it; the first one counts.
public final class Acknowledgement: Sendable {
    private let id: UInt64
    private let socket: Socket
    private let isGiven = Atomic<Bool>(false)

    /// On the socket's loop.
    init(id: UInt64, socket: Socket) {
        self.id = id
        self.socket = socket
        socket.owesAnswer()
    }

    deinit {
        if !isGiven.load(ordering: .relaxed) { socket.answered(nil) }
    }

    /// Gives the answer. Whatever follows is dropped, as is what comes after the disconnect.
    public func send(_ arguments: [JSONValue] = []) {
        guard !isGiven.exchange(true, ordering: .relaxed) else { return }
        socket.answered(socket.namespace.services.packets.ack(id, arguments, namespace: socket.namespace.name))
    }

    /// The same, for sentences like `acknowledge?(true)`.
    public func callAsFunction(_ arguments: JSONValue...) { send(arguments) }
}

/// Why an acknowledgement from a client did not come.
public enum AcknowledgementError: Error, Sendable, Hashable {
    case timedOut
    case disconnected
    /// ``TransportLimits/acksPerSocketMax`` are outstanding already.
    /// Of a broadcast: the client has no place for more, or ``TransportLimits/broadcastAcksMax`` broadcasts wait.
    case tooManyOutstanding
    case cancelled
    /// The event's name belongs to the protocol (S3); nothing was sent.
    case reservedName
    /// The answers to a broadcast are more than ``TransportLimits/broadcastAnswerBytesMax``.
    case tooLarge
    /// The answer is not of the type that the question has; of a broadcast, the first such answer.
    case undecodable(JSONCodingError)
    /// A value of the question is not JSON; nothing was sent.
    case unencodable(JSONCodingError)
}
