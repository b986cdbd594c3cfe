public import JSON

/// An event on its way from a client to the handlers, as middlewares see it (S18).
public struct IncomingEvent: Sendable {
    public let name: String
    /// A middleware may change them: handlers get what the last one left.
    public var arguments: [JSONValue]
    /// Nil when the client does not ask for one.
    public let acknowledgement: Acknowledgement?
}

/// A middleware's no to one event (S18). The client hears of it only if a handler tells it.
public struct EventRefusal: Error, Sendable, Hashable {
    public var message: String
    public var data: JSONValue?

    public init(message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}
