internal import JSON

extension APIDocument {
    static let accountOperations: [APIOperation] = [
        APIOperation(
            "GET", "/v1/models", "account", "The models that the key may call",
            answers: [.json("The models.", .object([.need("object", .constant("list")), .need("data", .list(.of("Model")))]))]),
        APIOperation(
            "GET", "/v1/models/{id}", "account", "One model", parameters: [.path("id", .text(1, 128))],
            answers: [.json("The model.", .of("Model")), .refusal(404, "There is no such model.")]),
        APIOperation(
            "GET", "/v1/quota", "account", "What the caller has left, in each window on its path",
            answers: [
                .json(
                    "The windows.",
                    .object([
                        .need("org", .string), .need("project", .string), .need("user", .string.orNull), .need("roles", .list(.string)),
                        .need("windows", .list(.of("Window"))),
                    ]))
            ]),
        APIOperation(
            "GET", "/v1/conversations", "account", "The caller's conversations, newest first",
            parameters: [.query("limit", .whole(1, 200)), .query("cursor", .string)],
            answers: [
                .json(
                    "A page.",
                    .page(
                        .object([
                            .need("id", .string), .need("title", .string), .need("created_at", .instant), .need("updated_at", .instant),
                        ])))
            ]),
        APIOperation(
            "GET", "/v1/conversations/{id}", "account", "A conversation with its turns", parameters: [conversation],
            answers: [
                .json(
                    "The conversation.", .object([.need("id", .string), .need("title", .string), .need("turns", .list(.anyObject))])),
                .refusal(404, "There is none, or it is somebody else's."),
            ]),
        APIOperation(
            "DELETE", "/v1/conversations/{id}", "account", "Delete a conversation", parameters: [conversation],
            answers: [.empty(204, "It is gone."), .refusal(404, "There is none, or it is somebody else's.")]),
        APIOperation(
            "GET", "/api/approvals", "decisions", "Calls of tools that wait for the caller's answer, or for somebody's about the caller's",
            parameters: [.query("state", .string, "pending, all, or another state."), .query("cursor", .string)],
            answers: [.json("A page.", .page(.of("Approval"))), .refusal(503, "Approvals cannot be read now.")]),
        APIOperation(
            "POST", "/api/approvals/{id}", "decisions", "Agree to a call, or deny it", parameters: [.path("id", .text(1, 128))],
            body: .json(
                .object([.need("decision", .word(["approve", "deny"])), .may("reason", .text(0, 500).orNull)]),
                example: ["decision": "approve", "reason": "Checked with the customer."]),
            answers: [
                .json(
                    "The approval as it is now.",
                    .object([.need("ok", .flag), .need("state", .string), .need("approval", .of("Approval"))])),
                .refusal(404, "There is no such approval."), .refusal(409, "It is decided, or over."),
            ]),
    ]

    private static let conversation = APIOperation.Parameter.path("id", .text(1, 128))
    private static let document = APIOperation.Parameter.path("doc", .text(1, 256), "Write / as %2F.")
    private static let documentMembers: [APISchema.Member] = [
        .need("doc", .string), .need("title", .string), .need("bytes", .integer), .need("passages", .integer),
        .need("updated_at", .instant),
    ]

    static let knowledgeOperations: [APIOperation] = [
        APIOperation(
            "GET", "/v1/knowledge", "knowledge", "With `q` a search, else a list of documents",
            parameters: [.query("q", .string), .query("limit", .whole(1, 200)), .query("cursor", .string)],
            answers: [
                .json("Passages, or documents with a cursor.", .object([.need("data", .list(.anyObject)), .may("cursor", .string.orNull)]))
            ]),
        APIOperation(
            "PUT", "/v1/knowledge/{doc}", "knowledge", "Put a document in", parameters: [document],
            body: APIOperation.Body(
                contents: [
                    (
                        "application/json",
                        .object([.may("title", .text(0, 256).orNull), .need("text", .text(1, 1_000_000))], isClosed: true)
                    ),
                    ("text/plain", .text(1, 1_000_000)), ("text/markdown", .text(1, 1_000_000)),
                ], isRequired: true, example: nil),
            answers: [
                .json("It was there.", .object(documentMembers + [.need("outcome", .string)])),
                .json(201, "It is new.", .object(documentMembers + [.need("outcome", .string)])),
                .refusal(409, "The project is full."), .refusal(415, "Send text or JSON."),
            ]),
        APIOperation(
            "GET", "/v1/knowledge/{doc}", "knowledge", "A document with its text", parameters: [document],
            answers: [
                .json("The document.", .object(documentMembers + [.need("text", .string)])), .refusal(404, "There is no such document."),
            ]),
        APIOperation(
            "DELETE", "/v1/knowledge/{doc}", "knowledge", "Take a document out", parameters: [document],
            answers: [.empty(204, "It is gone."), .refusal(404, "There is no such document.")]),
    ]

    private static let keyFields: [APISchema.Member] = [
        .may("organization_id", .name.orNull), .may("team_id", .name.orNull), .may("user_id", .name.orNull),
        .may("key_alias", .text(1, 256).orNull), .may("models", .list(.text(1, 128), most: 100).orNull), .may("max_budget", .number.orNull),
        .may("budget_duration", .word(["1m", "1h", "1d", "7d", "30d", "1mo"]).orNull),
        .may("tpm_limit", .whole(0, 9_000_000_000_000_000).orNull),
        .may("rpm_limit", .whole(0, 9_000_000_000_000_000).orNull), .may("duration", .string.orNull), .may("metadata", .anyObject.orNull),
        .may("blocked", .flag.orNull), .may("on_disconnect", .word(["stop", "drain"]).orNull),
    ]
    private static let named = APISchema.object([.need("key", .text(1, 128).describing("A key's secret or id."))])
    private static let noKey = APIOperation.Answer.refusal(404, "There is no such key.")
    private static let madeKey = APISchema.both(.of("VirtualKey"), .object([.need("key", .string)]))

    static let liteLLMOperations: [APIOperation] = [
        APIOperation(
            "GET", "/key/info", "litellm", "A key with its budget and spend", parameters: [.query("key", .text(1, 128))],
            answers: [.json("The key.", .object([.need("key", .string), .need("info", .of("VirtualKey"))])), noKey]),
        APIOperation(
            "POST", "/key/generate", "litellm", "Make a key", access: .admin,
            body: .json(.object(keyFields), example: ["max_budget": 5, "budget_duration": "30d", "models": ["demo"]]),
            answers: [.json("The key, with its secret this once.", madeKey)]),
        APIOperation(
            "POST", "/key/update", "litellm", "Change a key", access: .admin,
            body: .json(.object([.need("key", .text(1, 128))] + keyFields)), answers: [.json("The key.", madeKey), noKey]),
        APIOperation(
            "POST", "/key/delete", "litellm", "Revoke keys: all of them or none", access: .admin,
            body: .json(.object([.need("keys", .list(.string, most: 100))])),
            answers: [.json("The keys.", .object([.need("deleted_keys", .list(.string))])), noKey]),
        APIOperation(
            "POST", "/key/block", "litellm", "Block a key", access: .admin, body: .json(named),
            answers: [.json("The key.", blocked), noKey]),
        APIOperation(
            "POST", "/key/unblock", "litellm", "Let a blocked key in again", access: .admin, body: .json(named),
            answers: [.json("The key.", blocked), noKey]),
        APIOperation(
            "GET", "/spend/logs", "litellm", "Spend by run, or by day",
            parameters: [
                .query("api_key", .string), .query("user_id", .string), .query("request_id", .string), .query("start_date", .string),
                .query("end_date", .string), .query("summarize", .word(["true", "false"])), .query("limit", .whole(1, 1_000)),
                .query("cursor", .string),
            ], answers: [.json("The rows.", .list(.anyObject)), noKey]),
        APIOperation(
            "GET", "/global/spend", "litellm", "Spend of the last 30 days", access: .admin,
            answers: [.json("The sum.", .object([.need("spend", .number), .need("max_budget", .number.orNull)]))]),
    ]

    private static let blocked = APISchema.object([.need("key", .string), .need("token", .string), .need("blocked", .flag)])
}
