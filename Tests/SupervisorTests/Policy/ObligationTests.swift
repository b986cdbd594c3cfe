import JSON
import Supervisor
import Testing

@Suite("Obligations")
struct ObligationTests {
    private func demand(_ text: String) throws -> ApprovalDemand? {
        let bundle = try Shop.bundle("@id(\"r\") @approval(\"\(text)\") permit (principal, action, resource);")
        return try Shop.ask(bundle, Shop.refundQuestion()).demand
    }

    private func limits(_ text: String, more: [(String, JSONValue)] = [], amount: String = "20.50") throws -> [LimitDemand] {
        let bundle = try Shop.bundle(
            "@id(\"r\") @limit(\"\(text)\") permit (principal, action == Action::\"payments.refund\", resource);")
        return try Shop.ask(bundle, Shop.refundQuestion(amount: amount, more: more)).limits
    }

    @Test("approvals are read")
    func approvals() throws {
        let table: [(String, [ApprovalDemand.Approver], Int, Int)] = [
            ("group:finance quorum:2 timeout:30m", [.group("finance")], 2, 1_800), ("user:anna", [.user("anna")], 1, 1_800),
            ("quorum:2  user:anna user:bert", [.user("anna"), .user("bert")], 2, 1_800),
            ("group:a timeout:10s", [.group("a")], 1, 10), ("group:a timeout:24h", [.group("a")], 1, 86_400),
            ("user:anna agent:risk-bot quorum:2", [.user("anna"), .agent("risk-bot")], 2, 1_800),
            ("group:a group:b:c quorum:10", [.group("a"), .group("b:c")], 10, 1_800),
        ]
        for (text, approvers, quorum, timeout) in table {
            #expect(
                try demand(text) == ApprovalDemand(rule: "r", from: [approvers], quorum: quorum, timeout: .seconds(timeout)), "\(text)")
        }
    }

    @Test(
        "approvals that are none are refused",
        arguments: [
            "", "quorum:2", "finance", "group:", ":finance", "Group:finance", "group:a quorum:0", "group:a quorum:11", "group:a quorum:02",
            "group:a quorum:-1", "group:a quorum:1 quorum:2", "group:a timeout:9s", "group:a timeout:25h", "group:a timeout:30",
            "group:a timeout:m", "group:a timeout:1.5h", "group:a timeout:30m timeout:30m", "group:a group:a", "agent:bot",
            "agent:a agent:b quorum:3", "user:anna quorum:2", "user:anna agent:bot quorum:3", "user:anna agent:a agent:b quorum:4",
            "group:a,quorum:2 x", "group:a role:b",
        ])
    func badApprovals(_ text: String) throws {
        let findings = try Shop.findings("@approval(\"\(text)\") permit (principal, action, resource);")
        #expect(findings.map(\.kind) == ["obligation"], "\(findings)")
    }

    @Test("limits are read")
    func limitTexts() throws {
        let table: [(String, cap: Int64, amount: Int64, places: Int, LimitDemand.Period)] = [
            ("3 per session", 3, 1, 0, .ever), ("3 per day", 3, 1, 0, .day), ("0 per user per minute", 0, 1, 0, .minute),
            ("sum(args.amount) <= 200.00 per customer per day", 2_000_000, 205_000, 4, .day),
            ("sum(args.amount) <= 200 per org per month", 2_000_000, 205_000, 4, .month),
            ("1  per args.order_id   per week", 1, 1, 0, .week), ("5 per user per key per project per hour", 5, 1, 0, .hour),
        ]
        for (text, cap, amount, places, period) in table {
            let limit = try #require(try limits(text).first, "\(text)")
            #expect(limit.cap == cap && limit.amount == amount && limit.places == places && limit.period == period, "\(limit)")
            #expect(limit.text == text.split(separator: " ").joined(separator: " "))
            #expect(limit.rule == "r")
            #expect(limit.id.utf8.count == 32)
        }
        #expect(try limits("3 per session; sum(args.amount) <= 200.00 per customer per day").count == 2)
    }

    @Test(
        "limits that are none are refused",
        arguments: [
            "", "3", "3 per", "per day", "three per day", "-3 per day", "3.5 per day", "3 per day per user", "3 per day per day",
            "3 per user per user", "3 each day", "3 per ever", "3 per nothing", "3 per args.nothing", "3 per args", "3 per reason",
            "3 per card_number", "3 per memo", "sum(args.amount) < 5 per day", "sum(args.amount) <= per day", "sum(args.amount) 5 per day",
            "sum(amount) <= 5 per day", "sum(args.currency) <= 5 per day", "sum(args.amount) <= -5 per day",
            "sum(args.amount) <= 5.00001 per day", "sum(args.amount) <= 5", "max(args.amount) <= 5 per day", "3 per day;",
            "3 per day;; 4 per week",
            "3 per day; 5 per day", "3 per user per customer per day; 4 per customer per user per day", "3 per day per",
            "99999999999999999999 per day",
        ])
    func badLimits(_ text: String) throws {
        let findings = try Shop.findings("@limit(\"\(text)\") permit (principal, action == Action::\"payments.refund\", resource);")
        #expect(findings.map(\.kind) == ["obligation"], "\(findings)")
    }

    @Test("a limit must be readable for every tool of its rule's scope")
    func allTools() throws {
        let text = "@limit(\"3 per customer per day\") permit (principal, action in Action::\"effect:write\", resource);"
        let findings = try Shop.findings(text)
        #expect(findings.count == 1)
        #expect(findings.first?.message.contains("mail.draft") ?? false)
    }

    @Test("61: a limit's name survives a change of the cap, and differs by rule, keys, period and tenant")
    func ids() throws {
        func id(_ text: String, _ more: [(String, JSONValue)] = [], amount: String = "20.50") throws -> String {
            try #require(try limits(text, more: more, amount: amount).first).id
        }
        func identity(_ org: JSONValue = "acme", _ project: JSONValue = "web", _ user: JSONValue = "anna") -> [(String, JSONValue)] {
            [("as", ["org": org, "project": project, "user": user])]
        }
        let bundle = try id("3 per session")
        #expect(try id("4 per session") == bundle)
        #expect(try id("4 per session", amount: "1.00") == bundle)
        #expect(try id("3 per session", [("run", ["id": "run_9"])]) != bundle, "without a conversation a run is a session of its own")
        let talk = try id("3 per session", [("run", ["id": "run_1", "conversation": "c1"])])
        #expect(try id("3 per session", [("run", ["id": "run_2", "conversation": "c1"])]) == talk)
        #expect(try id("3 per session", [("run", ["id": "run_2", "conversation": "c2"])]) != talk)
        #expect(
            try id("3 per session", identity("acme", "web", "bert") + [("run", ["id": "run_2", "conversation": "c1"])]) != talk,
            "another user's conversation of the same name is another session")
        let perDay = try id("3 per day", identity())
        #expect(try id("3 per day", identity("acme", "web", "bert")) == perDay)
        #expect(try id("3 per day", identity("acme", "shop")) != perDay)
        let perOrg = try id("3 per org per day", identity())
        #expect(try id("3 per org per day", identity("acme", "shop")) == perOrg)
        #expect(try id("3 per user per day", identity()) != perDay)
        #expect(try id("3 per user per day", identity("acme", "web", "bert")) != id("3 per user per day", identity()))
        #expect(try id("3 per user per project per day") == id("3 per project per user per day"))
        #expect(try id("3 per week") != perDay)
        #expect(try id("sum(args.amount) <= 3 per day") != perDay)
        #expect(try id("3 per args.customer per day") == id("3 per customer per day"))
        #expect(try id("3 per args.amount per day", amount: "1.5") == id("3 per args.amount per day", amount: "1.50"))
        #expect(try id("3 per args.amount per day", amount: "2") == id("3 per args.amount per day", amount: "2.00"))
        #expect(try id("3 per args.amount per day", amount: "2.10") != id("3 per args.amount per day", amount: "2.00"))
        var seen: Set<String> = []
        let texts = ["session", "run", "user", "project", "org", "key", "customer", "order_id", "minute", "hour", "day", "week", "month"]
        for key in texts { seen.insert(try id("3 per \(key)")) }
        #expect(seen.count == texts.count)
    }

    @Test("a negative amount is denied: it would give back what others took")
    func negative() throws {
        let tool: JSONValue = [
            "name": "stock.move", "description": "x", "effect": "write", "builtin": "x",
            "parameters": Shop.closed(["count": ["type": "integer"]], required: ["count"]),
        ]
        let catalog = try Shop.catalog([tool])
        let bundle = try Shop.bundle(
            "@id(\"r\") @limit(\"sum(args.count) <= 5 per day\") permit (principal, action, resource);", catalog: catalog)
        #expect(try Shop.ask(bundle, ["call": "stock.move", "args": ["count": -1]], catalog: catalog).told == "deny denied r")
        #expect(try Shop.ask(bundle, ["call": "stock.move", "args": ["count": 0]], catalog: catalog).told == "allow r")
    }
}
