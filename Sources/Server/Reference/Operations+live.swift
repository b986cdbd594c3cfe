internal import Accounting
internal import JSON

/// The live view of all servers, the audit's chain, dialects, and the server's own settings.
extension APIDocument {
    private static let seenOrg = APIOperation.Parameter.query(
        "org", .name, "The organisation; without it the caller's own. An operator may ask for `*`, every one.")

    static let dialectOperations: [APIOperation] = [
        APIOperation(
            "POST", "/v1/messages", "runs", "Anthropic's Messages, streamed and whole",
            body: .json(
                .object([
                    .need("model", .text(1, 128)), .need("max_tokens", .whole(1, 1_000_000)), .need("messages", messages),
                    .may("system", .any), .may("stream", .flag), .may("tools", .list(.anyObject)),
                ]), example: ["model": "demo", "max_tokens": 64, "messages": [["role": "user", "content": "Say hello."]]]),
            answers: [
                .json(
                    "The message.",
                    .object([
                        .need("id", .string), .need("type", .constant("message")), .need("role", .constant("assistant")),
                        .need("model", .string), .need("content", .list(.anyObject)), .need("stop_reason", .string.orNull),
                        .need("usage", .anyObject), .may("x_cut", .anyObject),
                    ])), .content("text/event-stream; charset=utf-8", "With `stream`: Anthropic's events."),
            ] + refusals, isStream: true, errors: "AnthropicError"),
        APIOperation(
            "POST", "/v1/messages/count_tokens", "runs", "What a prompt probably has and at most, by our own count; nothing is charged",
            body: .json(
                .object([.need("model", .text(1, 128)), .need("messages", messages), .may("system", .any)]),
                example: ["model": "demo", "messages": [["role": "user", "content": "Say hello."]]]),
            answers: [
                .json("The count.", .object([.need("input_tokens", .integer), .need("x_input_tokens_max", .integer)])),
                .refusal(404, "There is no such model."),
            ], errors: "AnthropicError"),
        APIOperation(
            "POST", "/v1/responses", "runs", "OpenAI's Responses, streamed and whole",
            body: .json(
                .object([
                    .need("model", .text(1, 128)), .need("input", .any), .may("instructions", .string.orNull), .may("stream", .flag.orNull),
                    .may("max_output_tokens", .whole(1, 1_000_000).orNull), .may("tools", .list(.anyObject)),
                ]), example: ["model": "demo", "input": "Say hello."]),
            answers: [.json("The response.", response), .content("text/event-stream; charset=utf-8", "With `stream`: OpenAI's events.")]
                + refusals, isStream: true),
        APIOperation(
            "GET", "/v1/responses/{response}", "runs", "What a response has put out so far",
            parameters: [.path("response", .text(1, 128)), .query("stream", .word(["false"]))],
            answers: [
                .json("The response.", response), .refusal(404, "There is none, or it is somebody else's."),
                .refusal(410, "Its beginning is no longer kept."),
            ]),
        APIOperation(
            "POST", "/v1/responses/{response}/cancel", "runs", "End a response, and answer once it has ended",
            parameters: [.path("response", .text(1, 128))],
            answers: [.json("The response.", response), .refusal(404, "There is none, or it is somebody else's.")]),
    ]

    private static let messages = APISchema.list(
        .object([.need("role", .word(["user", "assistant"])), .need("content", .any)]), most: 2_000)
    private static let response = APISchema.object([
        .need("id", .string), .need("object", .constant("response")), .need("created_at", .integer), .need("status", .string),
        .need("model", .string), .need("output", .list(.anyObject)),
    ])

    private static let streamRow = APISchema.object([
        .need("run_id", .string), .need("org", .string), .need("project", .string), .need("user", .string.orNull),
        .need("key", .string.orNull), .need("model", .string), .need("conversation_id", .string), .need("state", .constant("running")),
        .need("waiting", .word(["model", "tool", "approval"]).orNull), .need("tool", .string.orNull), .need("started_at", .instant),
        .need("input_tokens", .integer), .need("output_tokens", .integer), .need("cost_usd", .money), .need("tokens_per_second", .any),
        .need("cost_per_minute_usd", .string),
        .need("stops", .anyObject.orNull.describing("The window that stops it first at this rate.")), .need("node", .string),
    ])

    static let liveOperations: [APIOperation] = [
        APIOperation(
            "GET", "/api/admin/streams", "system", "The runs that live, on all servers", access: .admin,
            parameters: APIOperation.Parameter.page + [seenOrg, .project, .user], answers: [.json("A page.", .page(streamRow))]),
        APIOperation(
            "GET", "/api/admin/now", "system", "What runs and what it costs now, with a line of the last 60 minutes", access: .admin,
            parameters: [seenOrg],
            answers: [
                .json(
                    "The figures.",
                    .object([
                        .need("at", .instant), .need("runs", .integer), .need("tokens_per_second", .any),
                        .need("cost_per_minute_usd", .string),
                        .need("cuts_last_hour", .integer),
                        .need("decisions_last_hour", .object([.need("allow", .integer), .need("deny", .integer)])),
                        .need("approvals_waiting", .integer), .need("health", .word(["ok", "degraded"])), .need("problems", .list(.string)),
                        .need(
                            "lines",
                            .object([
                                .need("runs", .list(.integer)), .need("tokens", .list(.integer)), .need("cost_usd", .list(.money)),
                                .need("cuts", .list(.integer)),
                            ])),
                    ]))
            ]),
        APIOperation(
            "GET", "/api/admin/runs/{run}", "system", "Why a run ended, what it was charged, and its timeline", access: .admin,
            parameters: [run],
            answers: [
                .json(
                    "The story.",
                    .object([
                        .need("run_id", .string), .need("state", .string), .need("message", .string), .need("totals", .anyObject),
                        .need("charges", .list(.of("LedgerRow"))), .need("windows", .list(.of("Window"))),
                        .need("timeline", .list(.anyObject)), .need("story", .list(.string)),
                    ])), noRun,
            ]),
        APIOperation(
            "GET", "/api/admin/health", "system", "Servers, stores, upstreams and versions", access: .admin,
            answers: [
                .json(
                    "How they are.",
                    .object([
                        .need("version", .string), .need("node", .string), .need("problems", .list(.string)),
                        .need("nodes", .list(.anyObject)),
                        .need("stores", .list(.anyObject)), .need("outbox_rows", .integer.orNull),
                        .need("settlements_pending", .integer.orNull),
                        .need("upstreams", .list(.anyObject)), .need("prices", .anyObject), .need("isolation", .anyObject),
                        .need("log_level", .string),
                    ]))
            ]),
        APIOperation(
            "GET", "/api/admin/config", "system", "The configuration in force, secrets masked", access: .admin,
            answers: [.json("The settings.", .object([.need("yaml", .string), .need("settings", .any)]))]),
        APIOperation(
            "POST", "/api/admin/drain", "system", "Have a server take no more runs, for good", access: .operator,
            body: .json(
                .object([.may("node", .text(1, 128).orNull.describing("This server without it."))]), required: false,
                example: ["node": "node-7"]),
            answers: [.json("It drains.", drained), .json(202, "It is told.", drained), .refusal(404, "There is no such server.")]),
        APIOperation(
            "GET", "/api/admin/audit", "decisions", "Where the chain of decisions stands", access: .admin,
            parameters: [.query("org", .name, "The organisation; without it the caller's own.")],
            answers: [
                .json(
                    "The chain.",
                    .object([
                        .need("org", .string), .need("records", .integer), .need("last_seq", .integer), .need("signed_to", .integer),
                        .need("anchored_to", .integer.orNull), .need("last_checkpoint_at", .instant.orNull),
                        .need("keys", .list(.anyObject)),
                        .need("ranges", .list(.object([.need("from", .integer), .need("to", .integer), .need("state", .string)]))),
                    ]))
            ]),
        APIOperation(
            "POST", "/api/admin/audit/verify", "decisions", "Verify the chain of decisions", access: .admin,
            body: .json(.object([.may("org", .text(1, 64).orNull)]), required: false, example: [:]),
            answers: [
                .json(
                    "What was found.", .object([.need("ok", .flag), .need("orgs", .list(.anyObject)), .need("keys", .list(.anyObject))])),
                .refusal(404, "Nothing was decided in that organisation."), .refusal(409, "A verification runs."),
            ]),
        APIOperation(
            "GET", "/api/admin/audit/export", "decisions", "The decisions with their hashes, as JSON lines", access: .admin,
            parameters: [
                .query("org", .name, "The organisation; without it the caller's own, and for an operator every one."),
                .query("from", .string), .query("to", .string),
            ], answers: [.content("application/x-ndjson; charset=utf-8", "The lines.")]),
        APIOperation(
            "GET", "/api/admin/log-level", "system", "The least level that this server logs", access: .operator,
            answers: [.json("The level.", logLevel)]),
        APIOperation(
            "PUT", "/api/admin/log-level", "system", "Change what this server logs, until it restarts", access: .operator,
            body: .json(.object([.need("level", .text(1, 16))]), example: ["level": "debug"]), answers: [.json("The level.", logLevel)]),
    ]

    private static let drained = APISchema.object([.need("node", .string), .need("status", .word(["draining", "requested"]))])
    private static let logLevel = APISchema.object([.need("level", .string), .need("levels", .list(.string))])

    private static let files = APISchema.list(.object([.need("name", .text(1, 255)), .need("text", .string)]))
    private static let published = APISchema.object([
        .need("version", .string), .need("previous_version", .string), .need("changed", .flag), .need("findings", .list(.any)),
    ])

    static let publishOperations: [APIOperation] = [
        APIOperation(
            "POST", "/api/admin/policies/check", "policies", "What is to be said about a set of policies", access: .admin,
            body: .json(.object([.need("files", files)])),
            answers: [
                .json(
                    "Findings and tests.",
                    .object([
                        .need("ok", .flag), .need("version", .string.orNull), .need("findings", .list(.any)),
                        .need("tests", .list(.anyObject)),
                    ])), .refusal(404, "The server has no policies."),
            ]),
        APIOperation(
            "PUT", "/api/admin/policies", "policies", "Publish a set of policies", access: .operator,
            body: .json(
                .object([
                    .need("files", files), .need("base", .text(1, 128).describing("The version that was changed.")),
                    .need("reason", .string),
                ])),
            answers: [
                .json("It is in force.", published), .refusal(404, "The server has no policies."),
                .refusal(409, "Another version is in force than `base`."), .refusal(422, "The set cannot be in force."),
            ]),
        APIOperation(
            "POST", "/api/admin/policies/rollback", "policies", "Publish a version that was in force before", access: .operator,
            body: .json(
                .object([.need("version", .text(1, 128)), .need("reason", .string), .may("base", .text(1, 128).orNull)])),
            answers: [
                .json("It is in force.", published), .refusal(404, "There is no such version, or the server has no policies."),
                .refusal(409, "Another version is in force than `base`."), .refusal(422, "The set cannot be in force."),
            ]),
    ]
}
