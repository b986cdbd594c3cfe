internal import Accounting
internal import JSON

extension APIDocument {
    private static let page = APIOperation.Parameter.page
    private static let nameBody = APIOperation.Body.json(
        .object([.may("name", .text(1, 256).orNull.describing("For people; null takes it away."))], isClosed: true), required: false,
        example: ["name": "Acme Inc."])

    private static func tenants(_ list: String, _ schema: String, _ names: [String], _ filter: [APIOperation.Parameter]) -> [APIOperation] {
        let one = "/api/admin/\(list)/" + names.map { "{\($0)}" }.joined(separator: "/")
        let path = names.map { APIOperation.Parameter.path($0) }
        return [
            APIOperation(
                "GET", "/api/admin/\(list)", "tenants", "The \(list)", access: .admin, parameters: page + filter,
                answers: [.json("A page.", .page(.of(schema)))]),
            APIOperation(
                "GET", one, "tenants", "One of the \(list)", access: .admin, parameters: path,
                answers: [.json("It.", .of(schema)), .refusal(404, "There is none of that name.")]),
            APIOperation(
                "PUT", one, "tenants", "Make it, with what it stands in, or name it", access: .admin, parameters: path, body: nameBody,
                answers: [.json("It was there.", .of(schema)), .json(201, "It is new.", .of(schema))]),
        ]
    }

    static let tenantOperations: [APIOperation] =
        tenants("orgs", "Org", ["org"], [.org]) + tenants("projects", "Project", ["org", "project"], [.org])
        + tenants("users", "User", ["org", "project", "user"], [.org, .project])

    private static let keyID = APIOperation.Parameter.path("id")
    private static let noKey = APIOperation.Answer.refusal(404, "There is no such key, or it is another organisation's.")
    private static let changes: [APISchema.Member] = [
        .may("alias", .text(1, 256).orNull), .may("models", .list(.text(1, 128), most: 100).orNull),
        .may("expires_at", APISchema.when.orNull),
        .may("on_disconnect", .word(["stop", "drain"]).orNull), .may("metadata", .anyObject.orNull), .may("blocked", .flag.orNull),
    ]

    static let keyOperations: [APIOperation] = [
        APIOperation(
            "GET", "/api/admin/keys", "keys", "The keys, without their secrets", access: .admin,
            parameters: page + [.org, .project, .user, .query("state", .word(["all"] + APIKey.State.allCases.map(\.rawValue)))],
            answers: [.json("A page.", .page(.of("Key")))]),
        APIOperation(
            "POST", "/api/admin/keys", "keys", "Make a key; its organisation, project and user are made when they are new", access: .admin,
            parameters: [.idempotencyKey],
            body: .json(
                .object(
                    [
                        .may("org", .name), .need("project", .name), .may("user", .name.orNull), .may("identity", .name.orNull),
                        .may("roles", .list(.name, most: 32)), .may("on_cut", .word(["error", "finish"])), .may("service_account", .flag),
                        .may("budgets", .list(.of("KeyBudget"), most: 20)),
                    ] + changes.filter { $0.name != "blocked" }, isClosed: true),
                example: [
                    "project": "web", "user": "ann", "alias": "laptop", "models": ["demo"],
                    "budgets": [["unit": "usd", "window": "day", "limit": "5.00"]],
                ]),
            answers: [.json(201, "The key, with its secret this once.", .of("NewKey")), reused, inFlight]),
        APIOperation(
            "GET", "/api/admin/keys/{id}", "keys", "One key", access: .admin, parameters: [keyID],
            answers: [.json("The key.", .of("Key")), noKey]),
        APIOperation(
            "PATCH", "/api/admin/keys/{id}", "keys", "Change what is named; null takes it away", access: .admin, parameters: [keyID],
            body: .json(.object(changes, isClosed: true), example: ["alias": "laptop", "blocked": true]),
            answers: [.json("The key.", .of("Key")), noKey, .refusal(409, "It was revoked.")]),
        APIOperation(
            "DELETE", "/api/admin/keys/{id}", "keys", "Revoke a key: what runs by it is cut", access: .admin, parameters: [keyID],
            answers: [.json("The key, revoked.", .of("Key")), noKey]),
        APIOperation(
            "POST", "/api/admin/keys/{id}/rotate", "keys", "Exchange a key: another secret and id, the same rights and budgets",
            access: .admin, parameters: [keyID, .idempotencyKey],
            body: .json(
                .object(
                    [
                        .may(
                            "grace_seconds",
                            .whole(0, AdminKeyRoutes.graceSecondsMax).describing("How long the old key goes on; 0 without it."))
                    ],
                    isClosed: true), required: false, example: ["grace_seconds": 3_600]),
            answers: [
                .json(201, "The new key, with its secret this once.", .both(.of("NewKey"), .object([.need("replaces", .name)]))), noKey,
                reused,
                .refusal(409, "The key is not active, or the request is under way."),
            ]),
    ]

    private static let reused = APIOperation.Answer.refusal(422, "The Idempotency-Key was used for another request.")
    private static let inFlight = APIOperation.Answer.refusal(409, "A request with this Idempotency-Key is under way.")
    private static let budgetExample: JSONValue = ["scope": "org:acme", "unit": "usd", "window": "month", "limit": "200.00"]

    static let moneyOperations: [APIOperation] = [
        APIOperation(
            "GET", "/api/admin/budgets", "money", "Budgets with what is used, held and free now", access: .admin,
            parameters: page + [.org, .scope], answers: [.json("A page.", .page(.of("Budget"))), .refusal(404, "There is no such key.")]),
        APIOperation(
            "PUT", "/api/admin/budgets", "money", "Set a budget; what the ledger holds for the running window counts", access: .admin,
            body: .json(.of("BudgetBody"), example: budgetExample),
            answers: [
                .json("It was there.", .both(.of("Budget"), .object([.need("created", .flag)]))),
                .json(201, "It is new.", .both(.of("Budget"), .object([.need("created", .flag)]))), .refusal(404, "There is no such key."),
            ]),
        APIOperation(
            "DELETE", "/api/admin/budgets", "money", "Remove a budget", access: .admin,
            parameters: [
                .query("scope", .string, required: true), .query("unit", .word(MeterUnit.allCases.map(\.rawValue)), required: true),
                .query("window", .word(Period.allCases.map(\.rawValue)), required: true), .query("model", .text(1, 128)),
                .query("tool", .text(1, 64)),
            ],
            answers: [
                .json("It is gone.", .object([.need("removed", .constant(true))])), .refusal(404, "There is no such budget, or key."),
            ]),
        APIOperation(
            "POST", "/api/admin/budgets/preview", "money", "What a limit would do now; nothing is changed", access: .admin,
            body: .json(.of("BudgetBody"), example: budgetExample),
            answers: [
                .json(
                    "What it would do to what lives on this server.",
                    .object([
                        .need("scope", .string), .need("unit", .string), .need("window", .string), .need("used", .amount),
                        .need("held", .amount), .need("suspense", .amount), .need("limit", .amount), .need("resets_at", .instant.orNull),
                        .need("would_refuse", .flag),
                        .need(
                            "would_cut",
                            .list(
                                .object([
                                    .need("run_id", .string), .need("org", .string), .need("project", .string),
                                    .need("user", .string.orNull),
                                    .need("key", .string.orNull), .need("model", .string), .need("started_at", .instant),
                                    .need("output_tokens", .integer), .need("cost_usd", .string), .need("node", .string),
                                ]))),
                    ])), .refusal(404, "There is no such key."),
            ]),
        APIOperation(
            "GET", "/api/admin/usage", "money", "What was spent, by whom or for what, step by step, and a forecast", access: .admin,
            parameters: [
                .org, .project, .user, .scope, .query("from", .string, "A day, an instant or milliseconds; inclusive."),
                .query("to", .string, "Exclusive."), .query("by", .word(SpendDimension.allCases.map(\.rawValue))),
                .query("step", .word(SpendQuery.Step.allCases.map(\.rawValue)), "At most 92 days by day, 8 days by hour."),
                .query("format", .word(["json", "csv"])),
            ],
            answers: [
                APIOperation.Answer(
                    status: 200, about: "The report.",
                    contents: [("application/json", .of("Usage")), ("text/csv; charset=utf-8; header=present", .string)]),
                .refusal(404, "There is no such key."),
            ]),
        APIOperation(
            "GET", "/api/admin/ledger", "money", "Rows of the ledger", access: .admin,
            parameters: page + [
                .scope, .query("run", .string), .query("from", .string), .query("to", .string),
                .query("format", .word(["json", "csv", "jsonl"])),
            ],
            answers: [
                APIOperation.Answer(
                    status: 200, about: "A page; with `format` csv or jsonl all of them, streamed.",
                    contents: [
                        ("application/json", .page(.of("LedgerRow"))), ("text/csv; charset=utf-8; header=present", .string),
                        ("application/x-ndjson; charset=utf-8", .string),
                    ])
            ]),
        APIOperation(
            "GET", "/api/admin/prices", "money", "The prices in force", access: .admin,
            parameters: page + [.query("configured", .word(["true", "false"]))],
            answers: [
                .json(
                    "A page.",
                    .both(.page(price), .object([.need("version", .string), .need("loaded_at", .instant)])))
            ]),
        APIOperation(
            "GET", "/api/admin/prices/{model}", "money", "The price of one model", access: .admin,
            parameters: [.path("model", .text(1, 256))],
            answers: [.json("The price.", price), .refusal(404, "There is no such model.")]),
        APIOperation(
            "POST", "/api/admin/prices/reload", "money", "Read the price file again", access: .admin,
            answers: [
                .json(
                    "The prices in force.",
                    .object([
                        .need("version", .string), .need("previous_version", .string), .need("changed", .flag), .need("models", .integer),
                    ])), .refusal(422, "The file was not taken."),
            ]),
    ]

    private static let price = APISchema.object([.need("model", .string), .need("version", .string), .need("price", .anyObject.orNull)])
    private static let decisionOrg = APIOperation.Parameter.query("org", .name, "The organisation; without it the caller's own.")

    static let decisionOperations: [APIOperation] = [
        APIOperation(
            "GET", "/api/admin/decisions", "decisions", "What was decided, newest first", access: .admin,
            parameters: page + [
                decisionOrg, .query("run", .string), .query("tool", .string), .query("user", .string), .query("rule", .string),
                .query("conversation", .string), .query("since", .string), .query("until", .string),
                .query("kind", .word(ToolDecision.Kind.allCases.map(\.rawValue))), .query("decision", .word(["allow", "deny"])),
            ], answers: [.json("A page.", .page(.of("Decision")))]),
        APIOperation(
            "GET", "/api/admin/decisions/{id}", "decisions", "One decision, explained", access: .admin,
            parameters: [.path("id", .text(1, 128)), decisionOrg],
            answers: [
                .json("The decision.", .both(.of("Decision"), .object([.need("explanation", .any)]))),
                .refusal(404, "There is no such decision."),
            ]),
        APIOperation(
            "GET", "/api/admin/approvals", "decisions", "The approvals of an organisation", access: .admin,
            parameters: page + [
                decisionOrg, .query("state", .string), .query("project", .string), .query("user", .string), .query("run", .string),
                .query("tool", .string), .query("digest", .string),
            ], answers: [.json("A page.", .page(.of("Approval")))]),
    ]

    private static let files = APISchema.list(.object([.need("name", .text(1, 255)), .need("text", .string)]))

    static let policyOperations: [APIOperation] = [
        APIOperation(
            "GET", "/api/admin/policies", "policies", "The policies in force, their findings and tests", access: .admin,
            answers: [
                .json(
                    "The policies.",
                    .object([
                        .need("mode", .string), .need("version", .string.orNull), .need("files", .list(.anyObject)),
                        .need("findings", .list(.any)), .need("tests", .list(.anyObject)), .need("versions", .list(.anyObject)),
                        .need("failure", .anyObject.orNull),
                    ]))
            ]),
        APIOperation(
            "GET", "/api/admin/policies/{version}", "policies", "The files of a version that was once in force", access: .admin,
            parameters: [.path("version", .text(1, 128))],
            answers: [
                .json("The files.", .object([.need("version", .string), .need("files", .any)])), .refusal(404, "There is no such version."),
            ]),
        APIOperation(
            "POST", "/api/admin/policies/dry-run", "policies", "What other policies would have decided", access: .admin,
            body: .json(.object([.need("files", files), .may("since", .any)])),
            answers: [
                .json(
                    "The differences.",
                    .object([
                        .need("ok", .flag), .need("findings", .list(.any)), .need("tests", .list(.anyObject)), .need("compared", .integer),
                        .need("different", .integer), .need("differs", .list(.anyObject)),
                    ])), .refusal(404, "The server has no policies."),
            ]),
        APIOperation(
            "POST", "/api/admin/tools/{name}", "policies", "Switch a tool off or on", access: .operator,
            parameters: [.path("name", .text(1, 64))],
            body: .json(
                .object([.need("disabled", .flag), .may("reason", .text(0, 500).orNull)]),
                example: ["disabled": true, "reason": "The supplier is down."]),
            answers: [
                .json("The switch.", .object([.need("name", .string), .need("disabled", .anyObject.orNull)])),
                .refusal(404, "There is no such tool."),
            ]),
    ]

    static let systemOperations: [APIOperation] = [
        APIOperation(
            "POST", "/api/admin/streams/{run}/kill", "system", "End a run, wherever it lives", access: .admin, parameters: [run],
            body: .json(.object([.may("reason", .text(0, 500).orNull)]), required: false),
            answers: [
                .json("It was live here.", killed), .json(202, "The other servers are told.", killed), noRun,
                .refusal(409, "It has ended."),
            ]),
        APIOperation(
            "GET", "/api/admin/isolation", "system", "How well code is shut in, with each probe", access: .admin,
            answers: [
                .json(
                    "The level.",
                    .object([
                        .need("level", .string), .need("runs_code", .flag), .need("probes", .list(.anyObject)),
                        .may("pool", .anyObject.orNull), .may("starts", .anyObject), .may("kills", .anyObject),
                    ]))
            ]),
    ]

    private static let killed = APISchema.object([.need("run_id", .string), .need("status", .word(["killed", "requested"]))])
}
