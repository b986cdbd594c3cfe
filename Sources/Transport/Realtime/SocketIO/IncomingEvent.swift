public import JSON

/// An event on its way from a client to the handlers, as middlewares see it (S18).
public struct IncomingEvent: Sendable {
    /// The first element of the packet; a number as its text (S2).
    public let name: String
    /// A middleware may change them: handlers get what the last one left.
    public var arguments: [JSONValue]
    /// Nil when the client does not ask for one.
    public let acknowledgement: Acknowledgement?
}

/// A no to one event. Of a middleware (S18) the client hears only if a handler tells it; of a handler of a typed ``Event`` it hears in the
/// acknowledgement.
public struct EventRefusal: Error, Sendable, Hashable {
    /// For people.
    public var message: String
    /// For programs; left out of an answer when nil.
    public var data: JSONValue?

    /// A refusal with a text, and data for programs.
    public init(message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}
