import JSON
import Supervisor
import Testing

/// A shop's tools: refunds, mail in two steps, a look-up.
enum Shop {
    static func closed(_ properties: JSONValue, required: JSONValue = []) -> JSONValue {
        ["type": "object", "additionalProperties": false, "properties": properties, "required": required]
    }

    static let refund: JSONValue = [
        "name": "payments.refund", "description": "Gives money back.", "effect": "write", "correlate": "order_id",
        "builtin": "payments.refund",
        "parameters": closed(
            [
                "order_id": ["type": "string", "minLength": 1, "maxLength": 32],
                "amount": ["type": "string", "format": "decimal", "minimum": "0.01", "maximum": "5000.00", "multipleOf": "0.01"],
                "currency": ["type": "string", "enum": ["EUR", "USD"]], "customer": ["type": "string", "tenant": "{org}/{id}"],
                "reason": ["type": ["string", "null"]], "card_number": ["type": "string"],
                "memo": ["type": "string", "writeOnly": true, "minLength": 3],
            ], required: ["order_id", "amount", "currency", "customer"]),
    ]

    static let draft: JSONValue = [
        "name": "mail.draft", "description": "Writes a mail.", "effect": "write", "correlate": "draft_id", "builtin": "mail.draft",
        "parameters": closed(["draft_id": ["type": "string"], "text": ["type": "string"]], required: ["draft_id", "text"]),
    ]

    static let send: JSONValue = [
        "name": "mail.send", "description": "Sends a mail.", "effect": "write", "correlate": "draft_id", "builtin": "mail.send",
        "parameters": closed(
            ["draft_id": ["type": "string"], "to": ["type": "array", "items": ["type": "string"]], "copies": ["type": "integer"]],
            required: ["draft_id", "to"]),
    ]

    static let lookup: JSONValue = [
        "name": "crm.lookup", "description": "Finds a customer.", "effect": "read", "builtin": "crm.lookup",
        "parameters": closed(
            [
                "customers": [
                    "type": "array",
                    "items": closed(
                        ["url": ["type": "string", "tenant": "https://crm.example/{org}/{project}/customers/{id}"]], required: ["url"]),
                ],
                "since": ["type": "string", "format": "date"], "limit": ["type": "integer", "minimum": 1, "maximum": 100],
                "deep": ["type": "boolean"], "note": ["type": "string"],
            ]),
    ]

    static func catalog(_ tools: [JSONValue] = [refund, draft, send, lookup]) throws -> ToolCatalog {
        try ToolCatalog(["tools": .array(tools)])
    }

    /// A permit for each tool that is not the test's matter.
    static let rest = """
        @id("mail") permit (principal, action in [Action::"mail.draft", Action::"mail.send"], resource);
        @id("reads") permit (principal, action in Action::"effect:read", resource);
        """

    static let refunds = """
        @id("refund-small")
        permit (principal in Role::"support", action == Action::"payments.refund", resource)
        when { context.args.amount.lessThanOrEqual(decimal("50.00")) && context.args.currency == "EUR" };

        @id("refund-large")
        @approval("group:finance quorum:2 timeout:30m")
        permit (principal in Role::"support", action == Action::"payments.refund", resource)
        when { context.args.amount.greaterThan(decimal("50.00")) && context.args.amount.lessThanOrEqual(decimal("1000.00")) };
        """

    static func bundle(_ text: String, tests: JSONValue? = nil, catalog: ToolCatalog? = nil) throws -> PolicyBundle {
        try PolicyBundle(
            files: [PolicyFile(name: "shop.cedar", text: text)],
            tests: tests.map { [PolicyTestFile(name: "shop.test.yaml", value: $0)] } ?? [], catalog: catalog ?? Shop.catalog())
    }

    /// What is wrong with a text.
    static func findings(_ text: String, tests: JSONValue? = nil) throws -> [PolicyFinding] {
        let catalog = try Shop.catalog()
        let tests = tests.map { [PolicyTestFile(name: "shop.test.yaml", value: $0)] } ?? []
        do throws(PolicyLoadError) {
            _ = try PolicyBundle(files: [PolicyFile(name: "shop.cedar", text: text)], tests: tests, catalog: catalog)
            return []
        } catch {
            return error.findings
        }
    }

    static func refundQuestion(
        amount: String = "20.00", currency: String = "EUR", roles: JSONValue = ["support"], more: [(String, JSONValue)] = []
    ) -> JSONValue {
        .object(
            JSONObject(
                [
                    ("call", "payments.refund"),
                    (
                        "args",
                        ["order_id": "A1", "amount": .string(amount), "currency": .string(currency), "customer": "acme/17"]
                    ), ("as", ["roles": roles]),
                ] + more))
    }

    static func ask(_ bundle: PolicyBundle, _ question: JSONValue, catalog: ToolCatalog? = nil) throws -> Ruling {
        bundle.ruling(try DecisionRequest(question: question, catalog: catalog ?? Shop.catalog()))
    }
}

extension Ruling {
    /// `allow refund-small`, `deny denied policy.default`, `approval refund-large`.
    var told: String {
        switch verdict {
        case .allow(let rule): "allow \(rule)"
        case .deny(let refusal): "deny \(refusal.code) \(refusal.rule)"
        case .needsApproval(let demand): "approval \(demand.rule)"
        }
    }

    var refusal: Refusal? {
        guard case .deny(let refusal) = verdict else { return nil }
        return refusal
    }

    var demand: ApprovalDemand? {
        guard case .needsApproval(let demand) = verdict else { return nil }
        return demand
    }
}
