internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `POST /v1/messages` in Anthropic's dialect, streamed and whole, and the count of a prompt.
struct MessageRoutes: Sendable {
    let intake: RunIntake
    let models: ConfiguredModels

    func add(to group: RouterGroup<AppContext>) {
        group.post("messages", use: create)
        group.post("messages/count_tokens", use: count)
    }

    @Sendable private func create(_ request: Request, context: AppContext) async throws -> Response {
        let asked = try MessagesRequest(await JSONBody.read(request))
        let principal = try context.principal
        let handle = try await intake.start(asked.prompt, as: principal)
        let reader = CompletionReader(handle)
        let estimate = models.provider(for: handle.model)?.promptTokens(asked.modelRequest).likely ?? 0
        let object = MessageObject(run: handle.identity.run, model: handle.model, promptEstimate: estimate)
        // The status line waits for the first token, so that an upstream that fails at once is a 502 and no stream.
        let opening = try await reader.opening()
        var response: Response
        if asked.streams {
            let stream = MessageStream(object, errorOnCut: principal.onCut == .error, requestID: context.id)
            response = .eventStream { writer in
                var stream = stream
                try await reader.write(opening, with: &stream, to: &writer)
            }
        } else {
            var content = ContentBlocks()
            try await reader.readToEnd(opening) { _ = content.take($0.body) }
            response = .json(try object.whole(content))
            response.headers[.costUSD] = content.ending?.costUSD
        }
        response.headers.append(contentsOf: await handle.budgetHeaders)
        response.headers[.runID] = handle.identity.run.text
        return response
    }

    /// What the prompt probably has and what it has at most, by our own count: no vocabulary and no upstream is asked, and nothing
    /// is charged.
    @Sendable private func count(_ request: Request, context: AppContext) async throws -> Response {
        let asked = try MessagesRequest(await JSONBody.read(request), isCount: true)
        try intake.check(asked.prompt, try context.principal)
        guard let provider = models.provider(for: asked.prompt.model) else {
            throw HTTPFailure(StartFailure(.modelNotFound, "there is no such model"))
        }
        let tokens = provider.promptTokens(asked.modelRequest)
        return .json(["input_tokens": .integer(Int64(tokens.likely)), "x_input_tokens_max": .integer(Int64(tokens.bound))])
    }
}

extension RunEventBody {
    /// What the run was charged; nil before its end.
    fileprivate var costUSD: String? {
        switch self {
        case .complete(_, _, let settled), .cut(_, let settled), .error(_, _, let settled): settled.costUSD
        default: nil
        }
    }
}
