import JSON
import Supervisor
import Synchronization
import Testing

@Suite("A catalog that is replaced while calls are made", .timeLimit(.minutes(1)))
struct CatalogReplacementTests {
    private static let order: JSONValue = [
        "type": "object", "additionalProperties": false, "required": ["order_id"], "properties": ["order_id": ["type": "string"]],
    ]

    private static func catalog(_ tools: [JSONValue]) throws -> ToolCatalog { try ToolCatalog(["tools": .array(tools)]) }

    private static func answering(_ text: String) -> ScriptedTool { ScriptedTool { _ in .success(.string(text)) } }

    @Test("a call ends by the catalog that it began with, and the next one begins with the new one")
    func inFlight() async throws {
        let hold = Hold()
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                await hold.wait()
                return .success("old")
            })
        async let old = bench.call()
        await hold.wait(forWaiters: 1)
        let catalog = try Self.catalog([tool(parameters: Self.order), tool("mail.send")])
        try bench.supervisor.replace(catalog, adapters: ["payments.refund": Self.answering("new"), "mail.send": Self.answering("sent")])
        #expect(await bench.call(#"{"order_id":"A1"}"#, id: "call_2").value == "new")
        #expect(await bench.call().refusal?.code == "bad_args", "what fitted before does not fit the new schema")
        #expect(await bench.call(tool: "mail.send").value == "sent")
        hold.open()
        #expect(await old.value == "old")
    }

    @Test("a tool that is gone is not known, not offered, and not made of code")
    func removed() async throws {
        let bench = try Bench([tool(), tool("mail.send")])
        #expect(bench.supervisor.offers(for: ann).map(\.name) == ["payments.refund", "mail.send"])
        try bench.supervisor.replace(Self.catalog([tool("mail.send")]), adapters: ["mail.send": Self.answering("sent")])
        #expect(bench.supervisor.offers(for: ann).map(\.name) == ["mail.send"])
        #expect(bench.supervisor.catalog["payments.refund"] == nil)
        #expect(await bench.call().refusal?.code == "unknown_tool")
    }

    @Test("a catalog without an adapter for each tool changes nothing, and its policies neither")
    func refused() throws {
        let bench = try Bench()
        let decided = Mutex(0)
        #expect(throws: CatalogError.self) {
            try bench.supervisor.replace(Self.catalog([tool("mail.send")]), adapters: [:]) { decided.withLock { $0 += 1 } }
        }
        #expect(bench.supervisor.catalog["payments.refund"] != nil && decided.withLock { $0 } == 0)
    }

    @Test("code that runs calls the tools of now")
    func nested() async throws {
        let (ready, go) = (Hold(), Hold())
        let code = ScriptedTool { call in
            ready.open()
            await go.wait()
            let made = await call.nested(NestedCall(tool: "mail.send", arguments: JSONObject([("order_id", "A1"), ("amount", 5)])))
            return .success(made.value ?? .string(made.refusal?.code ?? ""))
        }
        let runner = tool("run_code", builtin: "run_code", parameters: NestedCallTests.code)
        let bench = try Bench([runner], others: ["run_code": code])
        async let result = bench.call(#"{"code":"x"}"#, tool: "run_code")
        await ready.wait()
        try bench.supervisor.replace(
            Self.catalog([runner, tool("mail.send")]), adapters: ["run_code": code, "mail.send": Self.answering("sent")])
        go.open()
        #expect(await result.value == "sent")
    }

    @Test("a call that people were asked about is not made when its tool is gone by then, and what it held is given back")
    func removedMeanwhile() async throws {
        let bench = try Bench(decider: ApprovalCallTests.asking)
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        try bench.supervisor.replace(Self.catalog([tool("mail.send")]), adapters: ["mail.send": Self.answering("sent")])
        _ = try await bench.desk.decide(approval.id, by: approver("bob"), .approve).get()
        let refused = await result
        #expect(refused.refusal?.code == "unknown_tool")
        #expect(bench.limits.used("l1") == 0)
        #expect(!bench.journal.all.contains("commit"))
    }

    @Test("a catalog and its policies change in one moment: no call is decided by those of the other catalog")
    func together() async throws {
        let policies = { (name: String) in #"@id("all") permit (principal, action == Action::"\#(name)", resource);"# }
        let catalogs = try ["first", "second"].map { try Self.catalog([tool($0, parameters: Self.order)]) }
        let bundles = try zip(["first", "second"], catalogs).map { try Shop.bundle(policies($0), catalog: $1) }
        let decider = PolicyDecider(bundles[0])
        let bench = try Bench([tool("first", parameters: Self.order)], decider: decider)
        try await withThrowingTaskGroup(of: [String].self) { group in
            for name in ["first", "second"] {
                group.addTask {
                    var codes: Set<String> = []
                    for number in 0..<200 {
                        codes.insert(await bench.call(#"{"order_id":"A1"}"#, tool: name, id: "\(name)_\(number)").refusal?.code ?? "")
                    }
                    return codes.sorted()
                }
            }
            for turn in 1...100 {
                let next = turn % 2
                try bench.supervisor.replace(catalogs[next], adapters: [["first", "second"][next]: ScriptedTool.echo]) {
                    decider.replace(with: bundles[next], candidate: nil)
                }
                await Task.yield()
            }
            // Allowed, or not there: never there and not permitted.
            for try await codes in group { #expect(Set(codes).isSubset(of: ["", "unknown_tool"]), "\(codes)") }
        }
    }
}
