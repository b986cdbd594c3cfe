internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `POST /v1/responses` in OpenAI's dialect, streamed and whole, and what can be asked of a response that is still known.
struct ResponseRoutes: Sendable {
    let intake: RunIntake

    func add(to group: RouterGroup<AppContext>) {
        group.post("responses", use: respond)
        group.get("responses/:response", use: show)
        group.post("responses/:response/cancel", use: cancel)
    }

    @Sendable private func respond(_ request: Request, context: AppContext) async throws -> Response {
        let asked = try ResponseRequest(await JSONBody.read(request))
        let principal = try context.principal
        let handle = try await intake.start(asked.prompt, as: principal)
        let reader = CompletionReader(handle)
        let object = ResponseObject(handle, echo: asked.echo)
        // The status line waits for the first token, so that an upstream that fails at once is a 502 and no stream.
        let opening = try await reader.opening()
        var response: Response
        if asked.streams {
            let errorOnCut = principal.onCut == .error
            response = .eventStream { writer in
                var stream = ResponseStream(object, errorOnCut: errorOnCut)
                try await reader.write(opening, with: &stream, to: &writer)
            }
        } else {
            let output = try await reader.output(opening)
            if case .failed(let code, let message) = output.ending?.kind { throw HTTPFailure(runError: code, message) }
            response = .json(bytes: object.bytes(output))
            response.headers[.costUSD] = output.ending?.settled.costUSD
        }
        response.headers.append(contentsOf: await handle.budgetHeaders)
        response.headers[.runID] = handle.identity.run.text
        return response
    }

    /// What the run has put out so far. The request is not kept, so that what the answer usually repeats of it is absent.
    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        if request.uri.queryParameters["stream"] == "true" {
            throw HTTPFailure.badRequest("A response is not streamed again; its run is, at /v1/runs/{run}/events.", param: "stream")
        }
        let handle = try await handle(context)
        var output = ResponseOutput(of: handle.identity.run)
        for entry in handle.log.read(after: 0, maxBytes: .max) { _ = output.take(entry) }
        // Of a run that was lost only its end is known; nobody takes a failure for an answer.
        guard !output.hasGap || output.ending?.status == "failed" else {
            throw HTTPFailure(
                .gone, code: "events_lost", message: "The beginning of this response is no longer kept.", param: "response_id")
        }
        return .json(bytes: ResponseObject(handle).bytes(output))
    }

    /// Ends the run and answers once it has ended, with what it had put out.
    @Sendable private func cancel(_ request: Request, context: AppContext) async throws -> Response {
        let handle = try await handle(context)
        _ = await intake.cancel(handle)
        return .json(bytes: ResponseObject(handle).bytes(try await CompletionReader(handle).output(CompletionReader.Opening())))
    }

    private func handle(_ context: AppContext) async throws -> RunHandle {
        let id = try context.parameters.require("response")
        // A name that is none goes the same way as one that nobody has.
        return try await intake.handle(RunID(responseID: id)?.text ?? "", as: context.principal)
    }
}

extension CompletionReader {
    /// All that the run puts out, once it has ended.
    func output(_ opening: Opening) async throws -> ResponseOutput {
        var output = ResponseOutput(of: handle.identity.run)
        try await readToEnd(opening) { _ = output.take($0) }
        return output
    }
}

extension Response {
    /// JSON that is written already.
    static func json(bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
