internal import Engine
internal import JSON
internal import Transport

/// What a client may send on the main namespace. Each has its handler in ``ChatNamespace``, and nothing else has one.
enum ChatEvent: String, Sendable, CaseIterable {
    case message = "chat_message"
    case resume = "chat_resume"
    case cancel = "chat_cancel"
    case status = "conv_status.get"
    case decideApproval = "approval_decide"
    case refresh = "auth_refresh"
    case ping
}

/// What the server sends on the main namespace besides the events of runs (``RunEventName``).
enum ChatPush: String, Sendable, CaseIterable {
    case sessionInfo = "session_info"
    case conversationStatus = "conv_status"
    case pong
}

/// What the server sends on the console's namespace, to which clients send nothing.
enum ConsolePush: String, Sendable, CaseIterable {
    case decisions, approvals, streams, windows, now
}

extension Socket {
    func emit(_ event: ConsolePush, _ argument: JSONValue) { emit(event.rawValue, [argument]) }
    func emit(_ event: ChatPush, _ argument: JSONValue) { emit(event.rawValue, [argument]) }
}

extension Namespace {
    /// To the consoles that look at these organisations. There is no way to a console's room but by a choice that its handshake was allowed.
    /// Of this server alone: every server reads the stores and tells its own.
    func emit(_ event: ConsolePush, _ argument: JSONValue, to choice: OrgChoice) { to(choice.room).local.emit(event.rawValue, [argument]) }
}

/// A namespace's events by direction, for whoever has to know all of them: the tests of tenants have a row for each.
struct SocketEvents: Sendable, Hashable {
    let namespace: String
    /// From clients.
    let received: [String]
    /// To clients.
    let sent: [String]

    static let all = [chat, SocketEvents(namespace: "/console", received: [], sent: ConsolePush.allCases.map(\.rawValue))]

    private static let chat = SocketEvents(
        namespace: "/", received: ChatEvent.allCases.map(\.rawValue),
        sent: ChatPush.allCases.map(\.rawValue) + RunEventName.allCases.map(\.rawValue))

    var json: JSONValue {
        [
            "namespace": .string(namespace), "from_clients": .array(received.map { .string($0) }),
            "to_clients": .array(sent.map { .string($0) }),
        ]
    }
}
