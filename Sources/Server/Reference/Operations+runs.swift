internal import JSON

extension APIDocument {
    static let openOperations: [APIOperation] = [
        APIOperation(
            "GET", "/", "pages", "The chat page", access: .open,
            answers: [.content("text/html; charset=utf-8", "The page."), .empty(304, "As it was.")]),
        APIOperation(
            "GET", "/console", "pages", "The console", access: .open,
            answers: [.content("text/html; charset=utf-8", "The page."), .empty(304, "As it was."), .empty(308, "To /console/.")]),
        APIOperation(
            "GET", "/console/{file}", "pages", "Files of the console", access: .open, parameters: [.path("file", .string)],
            answers: [.content("*/*", "The file."), .empty(304, "As it was."), .refusal(404, "There is no such file.")],
            route: "/console/**"),
        APIOperation(
            "GET", "/socket.io/socket.io.js", "pages", "The official Socket.IO client, where it is installed", access: .open,
            answers: [.content("*/*", "The script."), .empty(304, "As it was."), .refusal(404, "It is not installed.")]),
        APIOperation(
            "GET", "/{file}", "pages", "Files of the pages: /kdcube.js, /embed.js and what they load", access: .open,
            parameters: [.path("file", .string)],
            answers: [.content("*/*", "The file."), .empty(304, "As it was."), .refusal(404, "There is no such file.")], route: "/**"),
        APIOperation(
            "GET", "/socket.io/", "runs", "Engine.IO: the handshake, polling and the upgrade to WebSocket", access: .open,
            parameters: [
                .query("EIO", .word(["4"]), required: true), .query("transport", .word(["polling", "websocket"]), required: true),
            ],
            answers: [.content("*/*", "Packets of Engine.IO."), .empty(101, "A WebSocket.")], route: "", isStream: true),
        APIOperation(
            "GET", "/healthz", "health", "Whether the process lives", access: .open,
            answers: [.json("It does.", .object([.need("status", .constant("ok"))]))]),
        APIOperation(
            "GET", "/readyz", "health", "Whether it should get traffic", access: .open,
            answers: [.json("It should.", readiness), .json(503, "It should not; `problems` says why.", readiness)]),
        APIOperation(
            "GET", "/metrics", "health", "Metrics for Prometheus", access: .open,
            answers: [.content("text/plain; version=0.0.4; charset=utf-8", "The exposition format.")]),
        APIOperation(
            "GET", "/openapi.json", "system", "This document", access: .open, answers: [.json("OpenAPI 3.1.", .anyObject)]),
        APIOperation(
            "GET", "/api/admin/openapi.json", "system", "This document", access: .open, answers: [.json("OpenAPI 3.1.", .anyObject)]),
    ]

    private static let readiness = APISchema.object([.need("status", .string), .need("problems", .list(.string))])

    static let refusals: [APIOperation.Answer] = [
        .refusal(402, "A money cap has nothing left (`budget_exceeded`)."), .refusal(404, "There is no such model or tool."),
        .refusal(429, "A window of tokens or requests has nothing left."), .refusal(502, "The model's provider failed."),
    ]
    static let run = APIOperation.Parameter.path("run", .text(1, 128), "As in run_id.")
    static let noRun = APIOperation.Answer.refusal(404, "There is no such run, or it is somebody else's.")

    static let runOperations: [APIOperation] = [
        APIOperation(
            "POST", "/v1/runs", "runs", "Start a run; with Accept: text/event-stream the answer is its events",
            body: .json(.of("ChatMessage"), example: ["text": "Say hello.", "model": "demo"]),
            answers: [
                .json(202, "It runs.", .of("RunNames")), .content("text/event-stream; charset=utf-8", "Its events."),
                .refusal(409, "The conversation cannot take another turn now."),
            ] + refusals, isStream: true),
        APIOperation(
            "GET", "/v1/runs/{run}", "runs", "A run's state", parameters: [run],
            answers: [
                .json(
                    "The state.",
                    .both(
                        .of("RunNames"),
                        .object([
                            .need("model", .string), .need("state", .string), .need("started_at", .instant), .need("first_seq", .integer),
                            .need("last_seq", .integer),
                        ]))), noRun,
            ]),
        APIOperation(
            "GET", "/v1/runs/{run}/events", "runs", "A run's events from a position on, until it ends",
            parameters: [
                run, .query("after", .whole(0, 1_099_511_627_776), "The last event that is known."),
                .header("Last-Event-ID", .string, "As `id:` of the last event."),
            ],
            answers: [.content("text/event-stream; charset=utf-8", "The events."), noRun], isStream: true),
        APIOperation(
            "POST", "/v1/runs/{run}/cancel", "runs", "End a run", parameters: [run],
            answers: [.json("Whether it lived.", .object([.need("ok", .flag), .need("run_id", .string)])), noRun]),
        APIOperation(
            "GET", "/v1/runs/{run}/why", "runs", "Which cap ended a run, and what it was charged", parameters: [run],
            answers: [
                .json(
                    "The explanation.",
                    .object([
                        .need("run_id", .string), .need("state", .string), .need("model", .string), .need("message", .string),
                        .need("org", .string), .need("project", .string), .need("user", .string.orNull), .need("key", .string.orNull),
                        .need("ended_at", .instant.orNull), .need("cut", .any), .need("error", .any), .need("totals", .anyObject),
                        .need("charges", .list(.of("LedgerRow"))), .need("windows", .list(.of("Window"))),
                    ])), noRun,
            ]),
        APIOperation(
            "POST", "/v1/chat/completions", "runs", "OpenAI's chat completions, streamed and whole",
            body: .json(
                .object([
                    .need("model", .text(1, 128)),
                    .need("messages", .list(.object([.need("role", .text(1, 32)), .may("content", .any)]), most: 2_000)),
                    .may("stream", .flag.orNull), .may("max_tokens", .whole(1, 1_000_000).orNull),
                    .may("max_completion_tokens", .whole(1, 1_000_000).orNull), .may("n", .constant(1)), .may("tools", .list(.anyObject)),
                    .may("stream_options", .object([.may("include_usage", .flag.orNull)])),
                ]), example: ["model": "demo", "messages": [["role": "user", "content": "Say hello."]]]),
            answers: [
                .json(
                    "The completion.",
                    .object([
                        .need("id", .string), .need("object", .constant("chat.completion")), .need("created", .integer),
                        .need("model", .string), .need("choices", .list(.anyObject)), .need("usage", .anyObject), .may("x_cut", .anyObject),
                    ])), .content("text/event-stream; charset=utf-8", "With `stream`: chunks, then `[DONE]`."),
            ] + refusals, isStream: true),
        APIOperation(
            "GET", "/sse/stream", "runs", "The stream of the two-call form: what POST /sse/chat starts comes here",
            parameters: [.query("stream_id", .text(1, 128), required: true)],
            answers: [.content("text/event-stream; charset=utf-8", "The events."), .refusal(429, "Too many streams are open.")],
            isStream: true),
        APIOperation(
            "POST", "/sse/chat", "runs", "Start a run into an open stream",
            parameters: [.query("stream_id", .text(1, 128), required: true)],
            body: .json(.of("ChatMessage"), example: ["text": "Say hello."]),
            answers: [
                .json(
                    202, "It runs.", .both(.of("RunNames"), .object([.need("status", .string), .need("task_id", .string)]))),
                .refusal(409, "The stream is not open."),
            ] + refusals, isStream: true),
    ]
}
