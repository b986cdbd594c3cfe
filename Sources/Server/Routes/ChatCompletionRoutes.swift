internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `POST /v1/chat/completions` in OpenAI's dialect, streamed and whole.
struct ChatCompletionRoutes: Sendable {
    let intake: RunIntake

    func add(to group: RouterGroup<AppContext>) {
        group.post("chat/completions", use: complete)
    }

    @Sendable private func complete(_ request: Request, context: AppContext) async throws -> Response {
        let completion = try ChatCompletionRequest(await JSONBody.read(request))
        let principal = try context.principal
        let handle = try await intake.start(completion.prompt, as: principal)
        let reader = CompletionReader(handle)
        // The status line waits for the first token, so that an upstream that fails at once is a 502 and no stream.
        let opening = try await reader.opening()
        var response: Response
        if completion.streams {
            let chunks = ChatCompletionChunks(
                id: handle.completionID, created: handle.startedAt / 1_000, model: handle.model, includesUsage: completion.includesUsage)
            let errorOnCut = principal.onCut == .error
            let run = handle.identity.run
            response = .eventStream { writer in
                var stream = CompletionStream(chunks: chunks, run: run, errorOnCut: errorOnCut)
                try await reader.write(opening, with: &stream, to: &writer)
            }
        } else {
            let answer = try await reader.whole(opening)
            response = .json(try answer.json())
            if let cost = answer.costUSD { response.headers[.costUSD] = cost }
        }
        response.headers.append(contentsOf: await handle.budgetHeaders)
        response.headers[.runID] = handle.identity.run.text
        return response
    }
}

extension RunHandle {
    var completionID: String { "chatcmpl-" + identity.run.text.dropFirst("run_".count) }
}
