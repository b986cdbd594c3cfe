internal import Accounting
internal import JSON

/// The named schemas of the document.
enum APIComponents {
    static let schemas: [(name: String, schema: APISchema)] = [
        ("Error", error),
        (
            "AnthropicError",
            .both(.of("Error"), .object([.need("type", .constant("error")), .need("request_id", .string)]))
        ), ("Org", tenant(["org"], [.need("projects", .integer)])), ("Project", tenant(["org", "project"])),
        ("User", tenant(["org", "project", "user"])), ("Key", key), ("NewKey", newKey), ("KeyBudget", budgetBody(needsScope: false)),
        ("BudgetBody", budgetBody(needsScope: true)),
        ("Budget", .both(.of("Window"), .object([.need("free", .amount), .need("owner", .word(Budget.Owner.allCases.map(\.rawValue)))]))),
        ("Window", window), ("Totals", totals), ("Usage", usage), ("Decision", decision), ("Approval", approval), ("RunNames", runNames),
        ("LedgerRow", ledgerRow), ("ChatMessage", chatMessage), ("Model", model), ("VirtualKey", virtualKey),
    ]

    private static let error = APISchema.object([
        .need(
            "error",
            .object([
                .need("message", .string), .need("type", .string), .need("code", .string),
                .need("param", .string.orNull), .may("cut", .anyObject),
            ]))
    ])

    private static func tenant(_ names: [String], _ more: [APISchema.Member] = []) -> APISchema {
        .object(
            names.map { .need($0, .name) } + [
                .need("name", .string.orNull.describing("For people.")), .need("created_at", .instant),
                .need("keys", .integer.describing("That were not revoked.")),
            ] + more)
    }

    private static let key = APISchema.object([
        .need("id", .name), .need("account", .name), .need("org", .name), .need("project", .name), .need("user", .name.orNull),
        .need("identity", .name.orNull),
        .need("roles", .list(.name)), .need("alias", .string.orNull), .need("models", .list(.string)),
        .need("on_cut", .word(["error", "finish"])), .need("on_disconnect", .word(["stop", "drain"]).orNull),
        .need("metadata", .anyObject), .need("created_at", .instant), .need("expires_at", .instant.orNull),
        .need("revoked_at", .instant.orNull), .need("blocked", .flag), .need("last_used_at", .instant.orNull),
        .need("kind", .word(APIKey.Kind.allCases.map(\.rawValue))), .need("state", .word(APIKey.State.allCases.map(\.rawValue))),
    ])

    private static let newKey = APISchema.both(
        .of("Key"),
        .object([
            .need("key", .string.orNull.describing("The secret, this once; null when the request was replayed.")),
            .may("replayed", .constant(true)),
        ]))

    private static let budgetMembers: [APISchema.Member] = [
        .need("unit", .word(MeterUnit.allCases.map(\.rawValue))), .need("window", .word(Period.allCases.map(\.rawValue))),
        .need("limit", .amount), .may("model", .text(1, 128).orNull), .may("tool", .text(1, 64).orNull),
        .may("zone", .text(0, 64).orNull.describing("Such as Europe/Berlin; left out: as it is, UTC if new.")),
    ]

    private static func budgetBody(needsScope: Bool) -> APISchema {
        .object(
            (needsScope ? [.need("scope", .string), .may("owner", .word(Budget.Owner.allCases.map(\.rawValue)))] : []) + budgetMembers,
            isClosed: true)
    }

    private static let window = APISchema.object([
        .need("scope", .string), .need("unit", .string), .need("window", .string), .need("limit", .amount), .need("used", .amount),
        .need("held", .amount), .need("suspense", .amount), .need("resets_at", .instant.orNull), .may("model", .string),
        .may("tool", .string), .may("zone", .string),
    ])

    private static let totalMembers: [APISchema.Member] = [
        .need("input_tokens", .integer), .need("output_tokens", .integer), .need("requests", .integer), .need("calls", .integer),
        .need("cost_usd", .money),
    ]
    private static let totals = APISchema.object(totalMembers)

    private static let usage = APISchema.object([
        .need("scope", .string.orNull), .need("from", .instant), .need("to", .instant),
        .need("by", .word(SpendDimension.allCases.map(\.rawValue))), .need("step", .word(SpendQuery.Step.allCases.map(\.rawValue))),
        .need("windows", .list(.of("Budget"))), .need("totals", .of("Totals")),
        .need(
            "rows",
            .list(
                .object(
                    SpendDimension.allCases.map { .may($0.rawValue, .string.orNull) } + [.need("scope", .string.orNull)] + totalMembers))),
        .need("series", .list(.object([.need("at", .instant), .need("values", .map(.money))]))),
        .need(
            "forecast",
            .object([
                .need("unit", .string), .need("window", .string), .need("limit", .amount), .need("used", .amount),
                .need("at_end", .amount), .need("spent_at", .instant.orNull), .need("resets_at", .instant),
            ]).orNull),
    ])

    private static let decision = APISchema.object([
        .need("id", .string), .need("seq", .integer), .need("at", .instant), .need("org", .string), .need("project", .string),
        .need("run", .string), .need("call_id", .string), .need("source", .string), .need("tool", .string),
        .need("arguments_digest", .string), .need("decision", .word(["allow", "deny"])), .need("roles", .list(.string)),
        .need("kind", .string), .may("user", .string), .may("key", .string), .may("rule", .string), .may("code", .string),
        .may("message", .string), .may("details", .any), .may("outcome", .anyObject),
    ])

    private static let approval = APISchema.object([
        .need("id", .string), .need("org", .string), .need("project", .string), .need("user", .string), .need("run", .string),
        .need("conversation", .string.orNull), .need("call_id", .string), .need("tool", .string), .need("subject", .string.orNull),
        .need("args", .any), .need("digest", .string), .need("rule", .string), .need("policy", .string),
        .need("from", .list(.list(.string))), .need("quorum", .integer), .need("agreed", .integer), .need("created_at", .instant),
        .need("expires_at", .instant), .need("ended_at", .instant.orNull), .need("state", .string), .need("votes", .list(.anyObject)),
        .need("decision_id", .string.orNull), .may("may_decide", .flag),
    ])

    private static let runNames = APISchema.object([
        .need("run_id", .string), .need("conversation_id", .string), .need("turn_id", .string),
    ])

    private static let ledgerRow = APISchema.object([
        .need("charge_id", .string), .need("at", .string), .need("kind", .string), .need("is_charge", .flag), .need("org", .string),
        .need("project", .string), .need("user", .string.orNull), .need("key", .string.orNull), .need("run", .string),
        .need("model", .string), .need("price_version", .string), .need("cost_usd", .money), .need("requests", .integer),
        .need("estimated", .flag), .need("lease", .string), .need("calls", .integer),
    ])

    private static let chatMessage = APISchema.object([
        .need("text", .text(1, 2_097_152)), .may("conversation_id", .text(1, 128).orNull), .may("turn_id", .text(1, 128).orNull),
        .may("model", .text(1, 128).orNull), .may("system", .string.orNull), .may("max_tokens", .whole(1, 1_000_000).orNull),
        .may("temperature", .number.orNull), .may("tools", .list(.anyObject).orNull),
        .may("knowledge", .any.describing("Reference material: a text, or a list of {text, title?}.")),
        .may("on_disconnect", .word(["stop", "drain"]).orNull),
    ])

    private static let model = APISchema.object([
        .need("id", .string), .need("object", .constant("model")), .need("created", .integer), .need("owned_by", .string),
        .need("x_metering", .anyObject), .may("x_price", .anyObject),
    ])

    private static let virtualKey = APISchema.object([
        .need("token", .string), .need("key_alias", .string.orNull), .need("user_id", .string.orNull), .need("team_id", .string),
        .need("organization_id", .string), .need("models", .list(.string)), .need("max_budget", .number.orNull),
        .need("budget_duration", .string.orNull), .need("budget_reset_at", .string.orNull), .need("spend", .number),
        .need("tpm_limit", .integer.orNull), .need("rpm_limit", .integer.orNull), .need("expires", .string.orNull),
        .need("blocked", .flag), .need("on_disconnect", .string.orNull), .need("metadata", .anyObject), .need("created_at", .string),
    ])
}
