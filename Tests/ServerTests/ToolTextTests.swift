import JSON
import Supervisor
import Testing

@testable import kdcube

@Suite("The text of tools.yaml under a hand that changes one tool")
struct ToolTextTests {
    static let file = """
        # Ours.
        version: 1
        tools:
          # Money goes out.
          - name: payments.refund   # see the runbook
            description: Refunds an order.
            effect: write
            builtin: payments.refund
            parameters: { type: object, additionalProperties: false, properties: {} }

          # The address book.
          - name: crm.lookup
            description: |
              Looks a customer up.
              # not a comment
            effect: read
            builtin: crm.lookup
            parameters:
              type: object
              additionalProperties: false
              properties: {}
        # The end.

        """

    static func tool(_ name: String, _ more: [(String, JSONValue)] = []) -> JSONObject {
        JSONObject(
            [
                ("name", .string(name)), ("description", "Says: yes & no, \"quoted\"."), ("effect", "read"),
                (
                    "parameters",
                    ["type": "object", "additionalProperties": false, "properties": ["id": ["type": "string", "maxLength": 9]]]
                ),
            ] + (more.isEmpty ? [("builtin", "crm.lookup")] : more))
    }

    private func changed(_ text: String = Self.file, _ edits: ToolEdit...) throws -> (text: String, entries: [ToolText.Entry]) {
        let changed = try ToolText(text).applying(edits)
        return (changed, try ToolText(changed).entries)
    }

    @Test("tells where each tool stands")
    func places() throws {
        let text = try ToolText(Self.file)
        #expect(text.entries.map(\.name) == ["payments.refund", "crm.lookup"])
        #expect(text.entries.map(\.lines) == [4..<9, 11..<21])
        #expect(text.line(ofTool: 1) == 12 && text.line(ofTool: 2) == 0)
    }

    @Test("the lines of Windows are lines")
    func carriageReturns() throws {
        let text = Self.file.replacing("\n", with: "\r\n")
        #expect(try ToolText(text).entries.map(\.lines) == [4..<9, 11..<21])
        let changed = try ToolText(text).applying([ToolEdit(name: "crm.lookup", tool: nil)])
        #expect(changed.contains("# Ours.\r\n") && changed.contains("# Money goes out.\r\n") && !changed.contains("crm.lookup"))
    }

    @Test("a tool is put at the end, and nothing else is touched")
    func made() throws {
        let (text, entries) = try changed(Self.file, ToolEdit(name: "a.new", tool: Self.tool("a.new")))
        #expect(entries.map(\.name) == ["payments.refund", "crm.lookup", "a.new"])
        #expect(entries[2].value == Self.tool("a.new"))
        for line in Self.file.split(separator: "\n") { #expect(text.contains(line), "\(line)") }
        #expect(text.contains("      properties: {}\n\n  - name: a.new\n"))
        #expect(text.hasSuffix("# The end.\n"))
    }

    @Test("a tool is changed in its place, renamed too, and the other one keeps its comments")
    func replaced() throws {
        let (text, entries) = try changed(Self.file, ToolEdit(name: "crm.lookup", tool: Self.tool("crm.find")))
        #expect(entries.map(\.name) == ["payments.refund", "crm.find"])
        #expect(
            text.contains("# see the runbook") && text.contains("# Ours.") && text.contains("# The end.") && !text.contains("not a comment")
        )
    }

    @Test("a tool goes with the comment above it")
    func removed() throws {
        let (text, entries) = try changed(Self.file, ToolEdit(name: "crm.lookup", tool: nil))
        #expect(entries.map(\.name) == ["payments.refund"])
        #expect(!text.contains("address book") && text.contains("Money goes out") && text.contains("# The end."))
        let (none, left) = try changed(
            Self.file, ToolEdit(name: "crm.lookup", tool: nil), ToolEdit(name: "payments.refund", tool: nil))
        #expect(left.isEmpty && none.contains("tools: []") && none.contains("version: 1"))
        #expect(try changed(none, ToolEdit(name: "a.new", tool: Self.tool("a.new"))).entries.map(\.name) == ["a.new"])
        #expect(throws: StrictYAML.Failure.self) { try changed(Self.file, ToolEdit(name: "nobody", tool: nil)) }
    }

    @Test(
        "a list in any other form is written anew and says the same",
        arguments: [
            #"{"tools": [{"name": "a", "x": [1, {"y": "z: w"}]}, {"name": "b"}]}"#,
            "tools:\n  -\n    name: a\n    x: [1, {y: 'z: w'}]\n  -\n    name: b\n",
            "tools:\n- name: a\n  x:\n  - 1\n  - y: 'z: w'\n- name: b\n",
        ])
    func forms(text: String) throws {
        let (_, entries) = try changed(text, ToolEdit(name: "b", tool: Self.tool("c")))
        #expect(entries.map(\.name) == ["a", "c"])
        #expect(entries[0].value["x"] == [1, ["y": "z: w"]])
    }

    @Test(
        "texts that YAML could take for something else come back as they were",
        arguments: [
            "", "yes", "No", "1", "1.5", "0x10", "~", "null", "- a", "a: b", "a #b", "#", "é", "line\nbreak", "tab\t", " leading",
            "trailing ",
            "'", "\"", "{}", "[x]", "${TOKEN}", "*a", "&a", "!t", "@x", "`", "%", "|", ">", "2026-11-28", "a\u{1F600}", "\\",
        ])
    func scalars(text: String) throws {
        let tool = JSONObject([("name", "a"), ("description", .string(text)), ("list", [.string(text)]), ("map", [text: .string(text)])])
        #expect(try ToolText(ToolWriter.text(JSONObject([("tools", [.object(tool)])]))).entries.first?.value == tool)
    }

    @Test("says which tools are others")
    func changes() throws {
        let after = try changed(
            Self.file, ToolEdit(name: "crm.lookup", tool: Self.tool("crm.lookup")), ToolEdit(name: "payments.refund", tool: nil),
            ToolEdit(name: "a.new", tool: Self.tool("a.new"))
        ).text
        let changes = ToolChanges(try ToolText(Self.file), try ToolText(after))
        #expect(changes.made == ["a.new"] && changes.changed == ["crm.lookup"] && changes.removed == ["payments.refund"])
    }
}

@Suite("What of the tools may be changed over HTTP")
struct ToolRulesTests {
    private static func text(_ tools: [JSONObject]) throws -> ToolText {
        try ToolText(ToolWriter.text(JSONObject([("tools", .array(tools.map { .object($0) }))])))
    }

    private static func http(_ more: [(String, JSONValue)] = [], url: String = "https://api.test/x") -> [(String, JSONValue)] {
        [("http", .object(JSONObject([("method", "GET"), ("url", .string(url)), ("allow_hosts", ["api.test"])] + more)))]
    }

    private static func mcp(_ more: [(String, JSONValue)]) -> [(String, JSONValue)] {
        [("mcp", .object(JSONObject([("tool", "t")] + more)))]
    }

    private static func problems(
        _ after: [(String, JSONValue)], before: [(String, JSONValue)]? = nil, _ publishing: Configuration.Tools.Publishing = .file
    ) throws -> [String] {
        let rules = ToolRules(publishing: publishing, variables: ["OURS"])
        return rules.findings(
            try text([ToolTextTests.tool("t", after)]), beside: try text(before.map { [ToolTextTests.tool("t", $0)] } ?? []),
            file: "tools.yaml"
        ).map(\.message)
    }

    @Test("programs and code are named by hand, and stay while the rest of the tool changes")
    func programs() throws {
        let command = Self.mcp([("command", ["/bin/sh", "-c", "id"])])
        #expect(try Self.problems(command).count == 1)
        #expect(try Self.problems(Self.mcp([("command", ["/bin/sh"])]), before: command).count == 1)
        #expect(try Self.problems(command + [("roles", ["x"])], before: command).isEmpty)
        #expect(try Self.problems(Self.mcp([("command", ["/bin/sh", "-c", "id"]), ("tool", "u")]), before: command).isEmpty)
        #expect(
            try Self.problems(Self.mcp([("command", ["/bin/sh", "-c", "id"]), ("env", ["A": "${OURS}"])]), before: command).count == 1)
        #expect(try Self.problems([("builtin", "run_code")]).count == 1)
        #expect(try Self.problems([("builtin", "run_code")], before: [("builtin", "run_code")]).isEmpty)
        #expect(try Self.problems([("builtin", "crm.lookup")]).isEmpty)
        for tool in [command, [("builtin", "run_code")]] { #expect(try Self.problems(tool, .all).isEmpty) }
    }

    @Test("another tool of a program that runs already may be made, with the same environment alone")
    func sameProgram() throws {
        let server: [(String, JSONValue)] = [("command", ["/bin/x"]), ("env", ["A": "${THEIRS}"])]
        let before = try Self.text([ToolTextTests.tool("t", Self.mcp(server))])
        let rules = ToolRules(publishing: .file, variables: [])
        for (more, count) in [(server, 0), ([("command", ["/bin/x"])], 1), ([("command", ["/bin/y"]), ("env", ["A": "${THEIRS}"])], 2)] {
            let after = try Self.text([ToolTextTests.tool("t", Self.mcp(server)), ToolTextTests.tool("u", Self.mcp(more))])
            #expect(rules.findings(after, beside: before, file: "f").count == count, "\(more)")
        }
    }

    @Test("hosts inside our networks are named by hand")
    func networks() throws {
        let inside = Self.http([("private_hosts", ["api.test"])])
        #expect(try Self.problems(inside).count == 1)
        #expect(try Self.problems(Self.http([("private_hosts", ["api.test"])], url: "https://api.test/y"), before: inside).isEmpty)
        #expect(try Self.problems(Self.http(), before: inside).isEmpty)
        #expect(try Self.problems(inside, .all).isEmpty)
        #expect(try Self.problems(Self.mcp([("url", "https://api.test/"), ("private_hosts", ["api.test"])])).count == 1)
    }

    @Test("secrets are named, of those that are to be had, and stay with whom they are for")
    func secrets() throws {
        func http(_ value: String, url: String = "https://api.test/x") -> [(String, JSONValue)] {
            Self.http([("headers", ["authorization": .string(value), "accept": "text/plain"])], url: url)
        }
        for value in ["${OURS}", "Bearer ${OURS}"] { #expect(try Self.problems(http(value)).isEmpty) }
        for value in [
            "s3cr3t", "Bearer s3cr3t", "${THEIRS}", "x${OURS}", "${OURS}x", "a b ${OURS}", "${OURS}${THEIRS}", "***", "$OURS", "",
        ] {
            #expect(try Self.problems(http(value)).count == 1, "\(value)")
        }
        #expect(try Self.problems(http("${THEIRS}", url: "https://api.test/y"), before: http("${THEIRS}")).isEmpty)
        #expect(try Self.problems(http("${THEIRS}", url: "http://api.test/x"), before: http("${THEIRS}")).count == 1)
        #expect(try Self.problems(http("${THEIRS}", url: "https://api.test:444/x"), before: http("${THEIRS}")).count == 1)
        #expect(try Self.problems(http("s3cr3t", url: "https://api.test/y"), before: http("s3cr3t")).count == 1)
        #expect(try Self.problems(http("${THEIRS}"), .all).isEmpty && Self.problems(http("s3cr3t"), .all).count == 1)
        #expect(try Self.problems(Self.http([("headers", ["accept": "${THEIRS}"])])).count == 1)
    }

    @Test("what stands in clear is not shown")
    func masks() throws {
        let tool = ToolTextTests.tool(
            "t",
            Self.http([("headers", ["authorization": "Bearer ${OURS}", "x-key": "s3cr3t", "accept": "a/b", "user-agent": "x ${OURS} y"])]))
        #expect(ToolReference.hasSecret(tool))
        #expect(
            ToolReference.masked(tool)["http"]?["headers"] == [
                "authorization": "Bearer ${OURS}", "x-key": "***", "accept": "a/b", "user-agent": "***",
            ])
        #expect(!ToolReference.hasSecret(ToolTextTests.tool("t", Self.http([("headers", ["a": "${B}"])]))))
    }

    @Test("a variable stands for itself in headers and environments alone")
    func expansion() throws {
        let yaml = """
            tools:
              - name: a
                description: "${SECRET}"
                effect: read
                http: { method: GET, url: "https://api.test/x?e={env}&h={headers}", allow_hosts: [api.test], headers: { x: "${SECRET}" } }
                parameters:
                  type: object
                  additionalProperties: false
                  required: [env, headers]
                  properties:
                    env: { type: string, description: "${SECRET}" }
                    headers: { type: string, enum: ["${SECRET}"] }
            """
        let tool = try #require(try ToolsFile(yaml: yaml, path: "t", environment: ["SECRET": "s3cr3t"]).catalog["a"])
        #expect(tool.description == "${SECRET}" && !tool.parameters.jsonText.contains("s3cr3t"))
        guard case .http(let http) = tool.adapter else { return #expect(Bool(false)) }
        #expect(http.headers.first?.value == "s3cr3t")
    }
}
