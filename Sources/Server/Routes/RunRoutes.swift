internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `POST /v1/runs` and what one can ask of a run (contract, *HTTP*).
struct RunRoutes: Sendable {
    let intake: RunIntake

    func add(to group: RouterGroup<AppContext>) {
        group.post("runs", use: start)
        group.get("runs/:run", use: state)
        group.get("runs/:run/events", use: events)
        group.post("runs/:run/cancel", use: cancel)
    }

    @Sendable private func start(_ request: Request, context: AppContext) async throws -> Response {
        let wantsStream = request.headers[.accept]?.contains("text/event-stream") ?? false
        let message = try ChatMessage(await JSONBody.read(request))
        let handle = try await intake.start(message, as: context.principal)
        if wantsStream {
            var response = try Self.stream(handle, after: 0)
            response.headers.append(contentsOf: await handle.budgetHeaders)
            return response
        }
        var response = Response.json(handle.names, status: .accepted)
        response.headers.append(contentsOf: await handle.budgetHeaders)
        response.headers[.runID] = handle.identity.run.text
        return response
    }

    @Sendable private func state(_ request: Request, context: AppContext) async throws -> Response {
        let handle = try await run(context)
        return .json([
            "run_id": .string(handle.identity.run.text), "conversation_id": .string(handle.identity.conversation.text),
            "turn_id": .string(handle.identity.turn.text), "model": .string(handle.model),
            "state": .string(handle.outcome?.rawValue ?? "running"), "started_at": .integer(handle.startedAt),
            "first_seq": .integer(Int64(handle.log.firstSeq)), "last_seq": .integer(Int64(handle.log.lastSeq)),
        ])
    }

    @Sendable private func events(_ request: Request, context: AppContext) async throws -> Response {
        let handle = try await run(context)
        return try Self.stream(handle, after: ResumePosition(request, run: handle.identity.run).after)
    }

    @Sendable private func cancel(_ request: Request, context: AppContext) async throws -> Response {
        let handle = try await run(context)
        return .json(["ok": .bool(await intake.cancel(handle)), "run_id": .string(handle.identity.run.text)])
    }

    private func run(_ context: AppContext) async throws -> RunHandle {
        try await intake.handle(context.parameters.require("run"), as: context.principal)
    }

    /// The run's events from a position to its end.
    static func stream(_ handle: RunHandle, after position: Int) throws(HTTPFailure) -> Response {
        let feed = EventStreamFeed()
        guard feed.attach(handle, after: position) else {
            throw HTTPFailure(
                .serviceUnavailable, code: "overloaded", type: "server_error", message: "This run has too many readers.",
                headers: [.retryAfter: "1"])
        }
        var response = Response.eventStream { writer in
            try await feed.write(to: &writer, untilIdle: true)
        }
        response.headers[.runID] = handle.identity.run.text
        return response
    }
}

extension RunHandle {
    /// What a client needs to find the run again.
    var names: JSONValue {
        [
            "run_id": .string(identity.run.text), "conversation_id": .string(identity.conversation.text),
            "turn_id": .string(identity.turn.text),
        ]
    }
}

extension Response {
    /// A streamed `text/event-stream` that no proxy should buffer or keep.
    static func eventStream(_ write: @escaping @Sendable @concurrent (inout any ResponseBodyWriter) async throws -> Void) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache, no-store", .accelBuffering: "no"],
            body: ResponseBody { writer in
                try await write(&writer)
                try await writer.finish(nil)
            })
    }
}

/// Reads a bounded JSON body.
enum JSONBody {
    /// An object without members where there is no body.
    static func readOrEmpty(_ request: Request) async throws -> JSONValue {
        guard request.headers[.transferEncoding] != nil || request.headers[.contentLength].map({ $0 != "0" }) ?? false else { return [:] }
        return try await read(request)
    }

    static func read(_ request: Request) async throws -> JSONValue {
        var request = request
        let buffer: ByteBuffer
        do {
            buffer = try await request.collectBody(upTo: RequestLimits.bodyBytesMax)
        } catch is NIOTooManyBytesError {
            throw HTTPFailure(
                .contentTooLarge, code: "request_too_large", message: "The body must be at most \(RequestLimits.bodyBytesMax) bytes.")
        }
        do {
            return try buffer.withUnsafeReadableBytes { raw in try JSONValue(parsing: raw) }
        } catch let error as JSONError {
            throw HTTPFailure.badRequest("The body is not JSON: \(error).")
        }
    }
}
