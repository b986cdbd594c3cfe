internal import JSON

/// A name of an event and the types of its arguments, said once and used by whoever sends it and whoever handles it.
///
/// ```swift
/// let message = Event<ChatMessage>("chat message")
/// let move = Event<Piece, Square, Bool?>("move")
///
/// chat.on(message) { socket, message in socket.to(message.room).emit(Chat.message, message) }
/// ```
///
/// An argument is whatever `JSONValue` can be made of by its type's own code: a structure, a text, a number, `[UInt8]` for binary, a
/// `JSONValue` for anything. One that is optional may be null, and may be missing at the end. What a client sends beyond the last is left
/// alone, so that a newer client may say more.
///
/// A value without state: any thread.
public struct Event<each Argument: Codable & Sendable>: Sendable {
    /// As it is on the wire. Names of the protocol (S3) are never sent and never come.
    public let name: String

    /// An event of this name.
    public init(_ name: String) {
        self.name = name
    }

    /// The same event as a question, whose answer has a type.
    public func answered<Answer: Codable & Sendable>(by answer: Answer.Type) -> Question<Answer, repeat each Argument> {
        Question(self)
    }
}

/// An event without arguments: `let typing = Signal("typing")`.
public typealias Signal = Event<>

/// An event that is sent for an answer, and the type of that: the first argument of the acknowledgement (S7).
///
/// ```swift
/// let vote = Event<Motion>("vote?").answered(by: Vote.self)
/// let answer = try await socket.emitWithAck(vote, motion)
/// ```
///
/// A value without state: any thread.
public struct Question<Answer: Codable & Sendable, each Argument: Codable & Sendable>: Sendable {
    /// What is sent.
    public let event: Event<repeat each Argument>

    init(_ event: Event<repeat each Argument>) {
        self.event = event
    }

    /// The answer in an acknowledgement. One that is optional may be missing.
    func answer(in arguments: [JSONValue]) throws(JSONCodingError) -> Answer {
        var reader = ArgumentReader(arguments)
        return try reader.next(Answer.self)
    }
}
