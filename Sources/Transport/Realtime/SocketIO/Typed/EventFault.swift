public import JSON

/// Why an event of a type did not do what it is for. Each has one outcome, and is counted in
/// `kdcube_socketio_event_faults_total{fault}`.
///
/// Where a client asked for an acknowledgement it gets one argument, `{ok: false, error}`; `error` has a `code`, and what the table says.
///
/// | fault | outcome | `error` |
/// | --- | --- | --- |
/// | ``undecodable(_:)`` | the handler is not called | `code: "invalid_argument"`, `path`, `rule` |
/// | ``busy`` | the handler is not called | `code: "busy"` |
/// | ``failed(_:)`` | | `code: "internal"` |
/// | ``unencodable(_:)`` | nothing is sent, or of an answer the error | `code: "internal"` |
///
/// A handler that throws an ``EventRefusal`` has no fault: the client gets `code: "refused"`, `message` and `data`.
public enum EventFault: Error, Sendable {
    /// The arguments are not of the event's types.
    case undecodable(JSONCodingError)
    /// More than ``TransportLimits/waitingHandlersMax`` events of the socket wait for asynchronous handlers, or more than
    /// ``TransportLimits/waitingHandlerBytesMax`` of them.
    case busy
    /// The handler threw what is no ``EventRefusal``.
    case failed(any Error)
    /// A value of the application that is not JSON.
    case unencodable(JSONCodingError)

    /// Its label.
    var name: String {
        switch self {
        case .undecodable: "undecodable"
        case .busy: "busy"
        case .failed: "failed"
        case .unencodable: "unencodable"
        }
    }

    static let names = ["undecodable", "busy", "failed", "unencodable"]

    /// What a client is told: nothing of what happened inside.
    var answer: JSONValue {
        switch self {
        case .undecodable(let error):
            Self.refused("invalid_argument", [("path", .string(error.path)), ("rule", .string(error.rule.description))])
        case .busy: Self.refused("busy")
        case .failed, .unencodable: Self.refused("internal")
        }
    }

    static func refused(_ code: String, _ more: [(String, JSONValue)] = []) -> JSONValue {
        ["ok": false, "error": .object(JSONObject([("code", .string(code))] + more))]
    }
}

extension EventRefusal {
    /// What the client is told when a handler of a type throws this.
    var answer: JSONValue {
        EventFault.refused("refused", [("message", .string(message))] + (data.map { [("data", $0)] } ?? []))
    }
}

extension Namespace {
    /// Counts a fault and tells the application. At once, on whatever thread it was found.
    ///
    /// - Parameter socket: whose event it is; nil of a broadcast.
    func report(_ fault: EventFault, of event: String, _ socket: Socket?) {
        services.count(fault)
        for handler in table.handlers.faults { handler(socket, event, fault) }
    }
}
