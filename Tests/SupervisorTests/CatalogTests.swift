import JSON
import Supervisor
import Testing

private func entry(_ changes: [(String, JSONValue?)]) -> JSONValue {
    guard case .object(var object) = tool() else { return .null }
    for (key, value) in changes { object[key] = value }
    return .object(object)
}

private func httpEntry(_ changes: [(String, JSONValue?)] = []) -> JSONValue {
    var http = JSONObject([
        ("method", "POST"), ("url", "https://pay.example.com/orders/{order_id}/refunds"), ("body", "json"),
        ("allow_hosts", ["pay.example.com"]), ("headers", ["Authorization": "Bearer ${PAY_KEY}"]),
    ])
    for (key, value) in changes { http[key] = value }
    return entry([("builtin", nil), ("http", .object(http))])
}

@Suite("The tool catalog")
struct CatalogTests {
    @Test("a tool is read with its defaults and its own values")
    func reads() throws {
        let catalog = try ToolCatalog([
            "version": 1,
            "tools": [
                entry([("cost", "0.01"), ("timeout", nil), ("output", "2MiB"), ("roles", ["a", "b"])]), entry([("name", "x")]),
            ],
        ])
        let refund = try #require(catalog["payments.refund"])
        #expect(refund.cost == 10_000_000)
        #expect(refund.timeout == .seconds(30))
        #expect(refund.outputBytes == 2 * 1_024 * 1_024)
        #expect(refund.roles == ["a", "b"])
        #expect(refund.adapter == .builtin("payments.refund"))
        #expect(refund.schema.properties == ["order_id", "amount", "card_number"])
        #expect(catalog.tools.map(\.name) == ["payments.refund", "x"])
        #expect(catalog["Payments.Refund"] == nil)
    }

    @Test("an HTTP tool keeps its hosts and fills its address")
    func http() throws {
        let catalog = try ToolCatalog(["tools": [httpEntry()]])
        guard case .http(let http)? = catalog.tools.first?.adapter else { throw CatalogError(path: "", rule: "", message: "no HTTP") }
        #expect(http.allowHosts == ["pay.example.com"])
        #expect(http.url.arguments == ["order_id"])
        #expect(
            try http.url.filled(with: JSONObject([("order_id", "a/b?c#d é")]))
                == "https://pay.example.com/orders/a%2Fb%3Fc%23d%20%C3%A9/refunds")
        for bad in ["", ".", "..", "a/../b", "..\\a", "/a"] {
            #expect(throws: TemplateError.self) { try http.url.filled(with: JSONObject([("order_id", .string(bad))])) }
        }
    }

    @Test("an MCP tool has a command or an address")
    func mcp() throws {
        let command: JSONValue = ["command": ["mcp-server", "--stdio"], "tool": "search", "env": ["TOKEN": "x"]]
        let catalog = try ToolCatalog(["tools": [entry([("builtin", nil), ("mcp", command)])]])
        #expect(
            catalog.tools.first?.adapter
                == .mcp(MCPDefinition(server: .command(["mcp-server", "--stdio"], environment: [NamedText("TOKEN", "x")]), tool: "search")))
    }

    @Test(
        "mistakes are refused with their place and rule",
        arguments: [
            (entry([("extra", 1)]), "extra", "unknown_key"), (entry([("name", "Refund")]), "name", "name"),
            (entry([("name", nil)]), "name", "name"),
            (entry([("effect", "change")]), "effect", "effect"), (entry([("effect", nil)]), "effect", "effect"),
            (entry([("cost", .number("0.01"))]), "cost", "cost"), (entry([("cost", 1)]), "cost", "cost"),
            (entry([("cost", "-1")]), "cost", "cost"),
            (entry([("cost", "0.0000000001")]), "cost", "cost"), (entry([("cost", "1000001")]), "cost", "cost"),
            (entry([("timeout", "10")]), "timeout", "timeout"), (entry([("timeout", "11m")]), "timeout", "timeout"),
            (entry([("timeout", "0s")]), "timeout", "timeout"), (entry([("output", "3MiB")]), "output", "output"),
            (entry([("roles", [])]), "roles", "roles"), (entry([("roles", ["a", "a"])]), "roles", "roles"),
            (entry([("correlate", "nothing")]), "correlate", "correlate"),
            (entry([("correlate", "card_number")]), "correlate", "correlate"),
            (entry([("builtin", nil)]), "builtin", "builtin"), (entry([("http", [:])]), "builtin", "builtin"),
            (entry([("parameters", ["type": "object", "properties": [:]])]), "parameters.additionalProperties", "additionalProperties"),
            (entry([("parameters", ["type": "string"])]), "parameters", "type"),
            (httpEntry([("method", "TRACE")]), "http.method", "method"),
            (httpEntry([("allow_hosts", [])]), "http.allow_hosts", "allow_hosts"),
            (httpEntry([("allow_hosts", ["*.example.com"])]), "http.allow_hosts", "allow_hosts"),
            (httpEntry([("url", "https://{order_id}.example.com/")]), "http.url", "url"),
            (httpEntry([("url", "ftp://pay.example.com/")]), "http.url", "url"),
            (httpEntry([("url", "https://u:p@pay.example.com/")]), "http.url", "url"),
            (httpEntry([("url", "https://pay.example.com/{card_number}")]), "http.url", "url"),
            (httpEntry([("body", nil)]), "http.url", "url"), (httpEntry([("method", "GET")]), "http.body", "body"),
            (httpEntry([("headers", ["Host": "x"])]), "http.headers", "headers"),
            (httpEntry([("headers", ["X": "a\r\nb"])]), "http.headers", "headers"),
            (httpEntry([("private_hosts", ["other"])]), "http.private_hosts", "private_hosts"),
            (entry([("builtin", nil), ("mcp", ["tool": "a"])]), "mcp.command", "command"),
            (entry([("builtin", nil), ("mcp", ["tool": "a", "command": ["a"], "cwd": "/"])]), "mcp.cwd", "unknown_key"),
        ] as [(JSONValue, String, String)])
    func mistakes(tool: JSONValue, path: String, rule: String) {
        do {
            _ = try ToolCatalog(["tools": [tool]])
            Issue.record("was taken")
        } catch {
            #expect(error.path == "tools[0].\(path)")
            #expect(error.rule == rule)
        }
    }

    @Test("the catalog as a whole is closed, and each name is there once")
    func whole() {
        let mistakes: [(JSONValue, String)] = [
            ([], "type"), (["tools": [], "tool": []], "unknown_key"), (["version": 2, "tools": []], "version"), ([:], "tools"),
            (["tools": [tool(), tool()]], "duplicate"),
        ]
        for (catalog, rule) in mistakes {
            do {
                _ = try ToolCatalog(catalog)
                Issue.record("was taken")
            } catch { #expect(error.rule == rule) }
        }
    }

    @Test("each tool has an adapter, and each adapter a tool")
    func adapters() throws {
        #expect(throws: CatalogError.self) { try Bench(others: ["other": ScriptedTool.echo]) }
    }
}
