import JSON
import Supervisor
import Testing

@Suite("Checks of policies")
struct PolicyCheckTests {
    private func findings(_ text: String, kind: String) throws -> [String] {
        try PolicyCheck.findings(Shop.bundle(text)).filter { $0.kind == kind }.map {
            "\($0.severity.rawValue) \($0.rule ?? "-"): \($0.message)"
        }
    }

    private static func refund(_ clauses: String) -> String {
        "@id(\"r\") permit (principal, action == Action::\"payments.refund\", resource) \(clauses);"
    }

    @Test(
        "68: a rule that can never match is found, with the reason",
        arguments: [
            (
                "when { context.args.amount.greaterThan(decimal(\"60.00\")) && context.args.amount.lessThan(decimal(\"50.00\")) }",
                "args.amount"
            ),
            ("when { context.args.amount.greaterThan(decimal(\"5000.00\")) }", "at most 5000.00"),
            ("when { context.args.amount.lessThan(decimal(\"0.01\")) }", "at least 0.01"),
            (
                "when { context.args.amount.greaterThan(decimal(\"1.00\")) && context.args.amount.lessThan(decimal(\"1.01\")) }",
                "args.amount"
            ),
            ("when { context.args.currency == \"GBP\" }", "args.currency"),
            ("when { context.args.currency == \"EUR\" } when { context.args.currency != \"EUR\" }", "args.currency"),
            ("when { context.args.currency != \"EUR\" } unless { [\"USD\", \"CHF\"].contains(context.args.currency) }", "args.currency"),
            ("when { principal.user == \"anna\" && principal.user == \"bert\" }", "principal.user"),
            ("when { context.run.source == \"human\" }", "context.run.source"),
            ("when { context.counts[\"mail.send\"] < 0 }", "counts"),
            ("unless { context.args.amount.lessThanOrEqual(decimal(\"5000.00\")) }", "args.amount"),
            ("when { !(context.args.currency == \"EUR\" || context.args.currency == \"USD\") }", "args.currency"),
            ("when { principal.user like \"a*\" } unless { principal.user like \"a*\" }", "true and false"),
            ("when { if context.args.currency == \"EUR\" then context.args.currency == \"USD\" else false }", "args.currency"),
            ("when { false }", "never match"),
        ])
    func neverMatches(_ clauses: String, _ reason: String) throws {
        let found = try findings(Self.refund(clauses), kind: "never_matches")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("error r: This rule can never match: ") ?? false, "\(found)")
        #expect(found.first?.contains(reason) ?? false, "\(found)")
    }

    @Test(
        "68: the least and the greatest numbers that a policy can name are compared like others",
        arguments: ["-922337203685477.5808", "-922337203685477.5800", "922337203685477.5807", "922337203685477.5800", "0.0"],
        ["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"])
    func extremes(_ number: String, _ comparison: String) throws {
        let clauses = "when { context.args.amount.\(comparison)(decimal(\"\(number)\")) }"
        for schema in [["type": "string", "format": "decimal", "multipleOf": "0.01"], nil] as [JSONValue?] {
            var tools = [Shop.refund]
            if let schema {
                var parameters = Shop.refund["parameters"]?.objectValue ?? JSONObject()
                var properties = parameters["properties"]?.objectValue ?? JSONObject()
                properties["amount"] = schema
                parameters["properties"] = .object(properties)
                var tool = Shop.refund.objectValue ?? JSONObject()
                tool["parameters"] = .object(parameters)
                tools = [.object(tool)]
            }
            let bundle = try Shop.bundle(Self.refund(clauses), catalog: Shop.catalog(tools))
            let isHigh = number.hasPrefix("9"), isAbove = comparison.hasPrefix("greater")
            let never = PolicyCheck.findings(bundle).filter { $0.kind == "never_matches" }
            // Below the least and above the greatest there is nothing; the schema of the shop ends long before.
            if schema == nil { #expect(never.count == (number == "0.0" ? (isAbove ? 0 : 1) : isHigh == isAbove ? 1 : 0)) }
        }
    }

    @Test(
        "68: a rule that may match is let be",
        arguments: [
            "when { context.args.amount.lessThanOrEqual(decimal(\"0.01\")) }",
            "when { context.args.amount.greaterThanOrEqual(decimal(\"5000.00\")) }",
            "when { context.args.amount.greaterThan(decimal(\"1.00\")) && context.args.amount.lessThan(decimal(\"1.02\")) }",
            "when { context.args.currency == \"EUR\" || context.args.currency == \"GBP\" }",
            "when { principal.user == \"anna\" || principal.user == \"bert\" }", "unless { context.args.currency == \"GBP\" }",
            "when { context.args has reason && context.args.reason == \"x\" }", "when { context.counts[\"mail.send\"] <= 0 }",
        ])
    func mayMatch(_ clauses: String) throws {
        #expect(try findings(Self.refund(clauses), kind: "never_matches") == [])
    }

    @Test("a permit that a forbid takes all of is found, where it is certain")
    func shadowed() throws {
        func shadowed(_ permit: String, _ forbid: String) throws -> Bool {
            let found = try findings("@id(\"p\") \(permit)\n@id(\"f\") \(forbid)", kind: "shadowed")
            #expect(found.allSatisfy { $0 == "warning p: This permit never allows anything: the forbid f denies all that it permits." })
            return !found.isEmpty
        }
        let small =
            "permit (principal in Role::\"a\", action == Action::\"payments.refund\", resource)"
            + " when { context.args.amount.lessThan(decimal(\"50.00\")) && principal.user like \"x*\" };"
        #expect(try shadowed(small, "forbid (principal, action, resource);"))
        #expect(try shadowed(small, "forbid (principal in Role::\"a\", action in Action::\"effect:write\", resource);"))
        #expect(
            try shadowed(
                small,
                "forbid (principal, action == Action::\"payments.refund\", resource) when { context.args.amount.lessThan(decimal(\"60.00\")) };"
            ))
        #expect(try shadowed(small, "forbid (principal, action, resource) when { principal.user like \"x*\" };"))
        #expect(try !shadowed(small, "forbid (principal in Role::\"b\", action, resource);"))
        #expect(try !shadowed(small, "forbid (principal, action in Action::\"effect:read\", resource);"))
        #expect(try !shadowed(small, "forbid (principal, action, resource) when { principal.user like \"y*\" };"))
        #expect(try !shadowed(small, "@shadow(\"\") forbid (principal, action, resource);"))
        #expect(
            try !shadowed(
                small,
                "forbid (principal, action == Action::\"payments.refund\", resource) when { context.args.amount.lessThan(decimal(\"40.00\")) };"
            ))
    }

    @Test("tools that no permit names are told of")
    func withoutPermit() throws {
        #expect(
            try findings(Shop.refunds, kind: "no_permit") == [
                "warning -: No permit names mail.draft, so nobody can call it.",
                "warning -: No permit names mail.send, so nobody can call it.",
                "warning -: No permit names crm.lookup, so nobody can call it.",
            ])
        #expect(try findings(Shop.refunds + Shop.rest, kind: "no_permit") == [])
    }

    @Test("ranges that no permit covers are told of")
    func gaps() throws {
        #expect(
            try findings(Shop.refunds, kind: "gap") == ["info -: payments.refund: args.amount above 1000.00: no permit, so denied."])
        func gaps(_ clauses: [String]) throws -> [String] {
            let text = clauses.map { "permit (principal, action == Action::\"payments.refund\", resource) when { \($0) };" }
            return try findings(text.joined(separator: "\n"), kind: "gap").map {
                String($0.dropFirst("info -: payments.refund: args.amount ".count))
            }
        }
        let amount = "context.args.amount"
        #expect(try gaps(["\(amount).greaterThan(decimal(\"10.00\"))"]) == ["below 10.01: no permit, so denied."])
        #expect(
            try gaps(["\(amount).lessThan(decimal(\"10.00\"))", "\(amount).greaterThan(decimal(\"10.00\"))"]) == [
                "exactly 10.00: no permit, so denied."
            ])
        #expect(
            try gaps(["\(amount).lessThan(decimal(\"10.00\"))", "\(amount).greaterThan(decimal(\"20.00\"))"]) == [
                "from 10.00 to 20.00: no permit, so denied."
            ])
        #expect(try gaps(["\(amount).lessThan(decimal(\"10.00\"))", "\(amount).greaterThanOrEqual(decimal(\"10.00\"))"]) == [])
        #expect(try gaps(["\(amount).lessThan(decimal(\"10.00\"))", "context.args.currency == \"EUR\""]) == [])
        let copies =
            "permit (principal, action == Action::\"mail.send\", resource) when { context.args has copies && context.args.copies <= 5 };"
        #expect(try findings(copies, kind: "gap") == ["info -: mail.send: args.copies above 5: no permit, so denied."])
    }

    @Test("approvals that contradict each other are told of where both may apply")
    func conflicts() throws {
        func conflicts(_ first: String, _ second: String, _ clauses: (String, String) = ("", "")) throws -> [String] {
            let scope = "permit (principal, action == Action::\"payments.refund\", resource)"
            return try findings(
                "@id(\"a\") @approval(\"\(first)\") \(scope) \(clauses.0);\n@id(\"b\") @approval(\"\(second)\") \(scope) \(clauses.1);",
                kind: "conflict")
        }
        #expect(
            try conflicts("user:anna", "user:bert") == [
                "warning a: Together with b nobody can approve: no one is among the approvers of both."
            ])
        #expect(
            try conflicts("group:x quorum:2", "group:x") == ["info a: Where b is satisfied too, the higher quorum counts: 2."])
        #expect(try conflicts("user:anna", "group:x") == [])
        #expect(try conflicts("user:anna", "user:anna user:bert") == [])
        let low = "when { context.args.amount.lessThan(decimal(\"10.00\")) }"
        let high = "when { context.args.amount.greaterThan(decimal(\"10.00\")) }"
        #expect(try conflicts("user:anna", "user:bert", (low, high)) == [])
        #expect(try conflicts("user:anna", "user:bert", (low, "")).count == 1)
    }

    @Test("obligations that cannot be met are told of")
    func obligations() throws {
        func obligations(_ annotation: String, _ clauses: String = "") throws -> [String] {
            try findings("\(annotation) \(Self.refund(clauses))", kind: "obligation")
        }
        #expect(try obligations("@limit(\"0 per day\")") == ["warning r: The limit 0 per day has no room for a single call."])
        #expect(
            try obligations("@limit(\"sum(args.amount) <= 20.00 per day\")", "when { context.args.amount.greaterThan(decimal(\"50.00\")) }")
                == [
                    "warning r: The limit sum(args.amount) <= 20.00 per day has no room for a single call: the least args.amount is 50.01."
                ])
        #expect(try obligations("@limit(\"sum(args.amount) <= 20.00 per day\")") == [])
        #expect(try obligations("@limit(\"sum(args.amount) <= 0 per day\")").count == 1)
        #expect(
            try obligations("@approval(\"group:a agent:bot\")") == [
                "warning r: An agent never gives the last agreement, so with a quorum of 1 its own never counts."
            ])
        #expect(try obligations("@approval(\"group:a agent:bot quorum:2\")") == [])
    }

    @Test(
        "history where called is meant is told of",
        arguments: [
            ("forbid", "when { context.history.contains({tool: \"crm.lookup\", key: \"\"}) }", true),
            ("forbid", "when { context.called.contains({tool: \"crm.lookup\", key: \"\"}) }", false),
            ("forbid", "unless { context.history.contains({tool: \"crm.lookup\", key: \"\"}) }", false),
            ("forbid", "when { !context.history.contains({tool: \"crm.lookup\", key: \"\"}) }", false),
            ("forbid", "when { principal.user == \"a\" || !context.history.isEmpty() }", true),
            ("forbid", "when { context.history.isEmpty() }", false),
            ("permit", "when { context.history.contains({tool: \"crm.lookup\", key: \"\"}) }", false),
            ("permit", "unless { context.history.contains({tool: \"crm.lookup\", key: \"\"}) }", true),
            ("permit", "when { !(context.history.contains({tool: \"crm.lookup\", key: \"\"})) }", true),
            ("permit", "when { context.history.isEmpty() }", true),
        ])
    func history(_ effect: String, _ clauses: String, _ isFound: Bool) throws {
        let text = "@id(\"r\") \(effect) (principal, action == Action::\"mail.send\", resource) \(clauses);"
        #expect(try findings(text, kind: "history").isEmpty == !isFound)
    }

    @Test("findings come by severity, and a good set has none")
    func order() throws {
        let found = try PolicyCheck.findings(Shop.bundle(Shop.refunds + Self.refund("when { false }")))
        let ranks = found.map { PolicyFinding.Severity.allCases.firstIndex(of: $0.severity) ?? 0 }
        #expect(ranks == ranks.sorted())
        #expect(found.first?.description.hasPrefix("shop.cedar:") ?? false)
        let good = """
            permit (principal, action, resource) unless { context.called.contains({tool: "crm.lookup", key: ""}) };
            """
        #expect(try PolicyCheck.findings(Shop.bundle(good)) == [])
    }
}
