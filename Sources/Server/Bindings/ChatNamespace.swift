internal import Accounting
internal import Engine
internal import Foundation
internal import HTTPTypes
internal import JSON
internal import JWT
internal import Supervisor
internal import Telemetry
internal import Traces
internal import Transport

/// The chat protocol on Socket.IO's main namespace (contract, *Socket.IO*).
///
/// Handlers run on the socket's event loop and do nothing there but check; what waits for a store is one task for each
/// request, bounded by ``requestsPerSocketMax``.
struct ChatNamespace: Sendable {
    let intake: RunIntake
    let authenticator: Authenticator
    /// Nil where the server has no tools.
    let desk: ApprovalDesk?
    let metrics: ServerMetrics
    /// Whether places in traces are read and carried on.
    var areTraced = false
    /// How long a socket whose token has expired may stay.
    var refreshGrace = Duration.seconds(300)

    /// Requests of one socket that wait for an answer at once: a person types one, a program a few.
    static let requestsPerSocketMax = 32

    func install(on server: SocketIOServer) {
        let namespace = server.namespace("/")
        let credential = SocketCredential(authenticator: authenticator)
        namespace.use { handshake throws(ConnectRefusal) in try await credential.caller(of: handshake) }
        namespace.onConnect { socket in
            guard let caller = socket.context as? Caller else { return socket.disconnect() }
            expire(socket, with: caller.principal)
            socket.emit(.sessionInfo, caller.info(socket))
        }
        // Whoever asked for an acknowledgement is told there.
        namespace.onRefusedEvent { socket, event, _ in
            guard event.acknowledgement == nil else { return metrics.requestsRefused(code: HTTPFailure.rateLimited.code).add() }
            answer(.rateLimited, socket, nil, event.name == ChatEvent.message.rawValue)
        }
        for event in ChatEvent.allCases { install(event, on: namespace) }
    }

    private func install(_ event: ChatEvent, on namespace: Namespace) {
        switch event {
        case .message: on(namespace, event, answersWithoutAck: true, message)
        case .resume: on(namespace, event, resume)
        case .cancel: on(namespace, event, cancel)
        case .status: on(namespace, event, status)
        case .decideApproval: on(namespace, event, decideApproval)
        case .refresh: on(namespace, event, refresh)
        case .ping:
            namespace.on(event.rawValue) { socket, _, acknowledgement in
                let pong: JSONValue = ["timestamp": .integer(Int64(Date().timeIntervalSince1970 * 1_000))]
                socket.emit(.pong, pong)
                acknowledgement?(pong)
            }
        }
    }

    // MARK: Requests

    private typealias Request = @Sendable (Socket, Caller, JSONValue) async throws(HTTPFailure) -> JSONValue

    private func on(_ namespace: Namespace, _ event: ChatEvent, answersWithoutAck: Bool = false, _ handle: @escaping Request) {
        namespace.on(event.rawValue) { socket, arguments, acknowledgement in
            guard let caller = socket.context as? Caller else { return }
            // The socket stays for a while, and its runs with it, so that there is time for another token.
            guard event == .refresh || !socket.isExpired else {
                return answer(.tokenExpired, socket, acknowledgement, answersWithoutAck)
            }
            guard caller.begin() else {
                return answer(.tooManyRequests, socket, acknowledgement, answersWithoutAck)
            }
            Task {
                defer { caller.end() }
                do throws(HTTPFailure) {
                    if event != .refresh { try await recheck(caller) }
                    let reply = try await handle(socket, caller, arguments.first ?? .null)
                    acknowledgement?(reply)
                } catch {
                    answer(error, socket, acknowledgement, answersWithoutAck)
                }
            }
        }
    }

    /// A key that was taken away is refused from the next request on, also on a socket that is open.
    private func recheck(_ caller: Caller) async throws(HTTPFailure) {
        do throws(Authenticator.Failure) { _ = try await caller.recheck(authenticator) } catch { throw HTTPFailure(error) }
    }

    private func answer(_ failure: HTTPFailure, _ socket: Socket, _ acknowledgement: Acknowledgement?, _ answersWithoutAck: Bool) {
        metrics.requestsRefused(code: failure.code).add()
        if let acknowledgement {
            acknowledgement(["ok": false, "error": failure.error])
        } else if answersWithoutAck {
            socket.emit(RunEventName.error.rawValue, [["type": "chat.error", "error": failure.error]])
        }
    }

    private func message(_ socket: Socket, _ caller: Caller, _ argument: JSONValue) async throws(HTTPFailure) -> JSONValue {
        let message = try ChatMessage(argument)
        let handle = try await TraceContext.within(areTraced ? message.trace ?? caller.trace : nil) { () async throws(HTTPFailure) in
            try await intake.start(message, as: caller.principal)
        }
        try stream(handle, after: 0, to: socket)
        var reply = JSONObject([("ok", true)])
        for member in handle.names.objectValue?.members ?? [] { reply[member.key] = member.value }
        return .object(reply)
    }

    private func resume(_ socket: Socket, _ caller: Caller, _ argument: JSONValue) async throws(HTTPFailure) -> JSONValue {
        let fields = try FieldReader(argument)
        let handle = try await run(fields, caller)
        let after = try fields.integer("after_seq", in: 0...(1 << 40)) ?? 0
        try stream(handle, after: Int(after), to: socket)
        return ["ok": true, "from_seq": .integer(max(after + 1, Int64(handle.log.firstSeq)))]
    }

    private func cancel(_ socket: Socket, _ caller: Caller, _ argument: JSONValue) async throws(HTTPFailure) -> JSONValue {
        let handle = try await run(FieldReader(argument), caller)
        return ["ok": .bool(await intake.cancel(handle))]
    }

    private func status(_ socket: Socket, _ caller: Caller, _ argument: JSONValue) async throws(HTTPFailure) -> JSONValue {
        let fields = try FieldReader(argument)
        guard let conversation = try fields.identifier("conversation_id") else { throw fields.failure("conversation_id", "is needed") }
        let live = intake.coordinator.live().first {
            $0.handle.identity.conversation.text == conversation && $0.handle.tenant.owns(asSeenBy: caller.principal.tenant)
        }
        let status: JSONValue = [
            "ok": true, "conversation_id": .string(conversation), "state": live == nil ? "idle" : "running",
            "run_id": live.map { .string($0.handle.identity.run.text) } ?? .null,
        ]
        socket.emit(.conversationStatus, status)
        return status
    }

    private func decideApproval(_ socket: Socket, _ caller: Caller, _ argument: JSONValue) async throws(HTTPFailure) -> JSONValue {
        let fields = try FieldReader(argument)
        guard let id = try fields.identifier("approval_id") else { throw fields.failure("approval_id", "is needed") }
        let approval = try await ApprovalAnswer(fields).give(to: id, as: caller.principal, at: desk)
        return ["ok": true, "state": .string(approval.state.rawValue)]
    }

    /// A new credential for the same tenant; the socket goes on as the same caller.
    private func refresh(_ socket: Socket, _ caller: Caller, _ argument: JSONValue) async throws(HTTPFailure) -> JSONValue {
        let token = try FieldReader(argument).string("token", bytesMax: JWTLimits.tokenBytesMax)
        let principal: Principal
        do throws(Authenticator.Failure) {
            principal = try await authenticator.authenticate(token, hints: TenantHints())
        } catch {
            throw HTTPFailure(error)
        }
        guard principal.org == caller.principal.org, principal.project == caller.principal.project, principal.user == caller.principal.user
        else {
            let mismatch = TenantMismatch(field: "token")
            authenticator.trail.mismatch(mismatch, of: caller.principal)
            throw .tenantMismatch(mismatch)
        }
        caller.refresh(principal, keyHash: token.flatMap { APISecret.hash(ofCredential: $0) })
        expire(socket, with: principal)
        return ["ok": true, "expires_at": principal.expiresAt.map { .integer($0.rawValue) } ?? .null]
    }

    private func expire(_ socket: Socket, with principal: Principal) {
        socket.expires(at: principal.refusedFrom?.rawValue, grace: refreshGrace)
    }

    private func run(_ fields: FieldReader, _ caller: Caller) async throws(HTTPFailure) -> RunHandle {
        guard let id = try fields.string("run_id", bytesMax: RequestLimits.runIDBytesMax) else {
            throw fields.failure("run_id", "is needed")
        }
        return try await intake.handle(id, as: caller.principal)
    }

    private func stream(_ handle: RunHandle, after seq: Int, to socket: Socket) throws(HTTPFailure) {
        guard RunFeed.open(handle, after: seq, on: socket) else {
            throw HTTPFailure(.serviceUnavailable, code: "overloaded", type: "server_error", message: "This run has too many readers.")
        }
    }
}

extension HTTPFailure {
    /// As the transport says it of packets that come too fast.
    static let rateLimited = HTTPFailure(
        .tooManyRequests, code: "rate_limited", type: "rate_limit_error", message: "Too many packets. Wait and try again.")

    static let tooManyRequests = HTTPFailure(
        .tooManyRequests, code: "rate_limit_exceeded", type: "rate_limit_error",
        message: "More than \(ChatNamespace.requestsPerSocketMax) requests of this socket wait for an answer.")
}
