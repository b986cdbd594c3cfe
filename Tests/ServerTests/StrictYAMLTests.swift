import JSON
import Supervisor
import Testing

@testable import kdcube

@Suite("YAML as a writing of JSON: catalogs of tools and tests of policies")
struct StrictYAMLTests {
    private func read(_ text: String) throws -> JSONValue? { try StrictYAML(bytesMax: 10_000, nodesMax: 100).value(of: text) }

    @Test("values are JSON's: what is quoted is a text, what is plain is what it looks like")
    func values() throws {
        let text = """
            a: 1
            b: "1"
            c: 1.50
            d: [true, null, x]
            e: { f: '2026-11-28' }
            """
        let value = try #require(try read(text))
        #expect(value["a"] == .integer(1) && value["b"] == .string("1") && value["c"] == .number("1.50"))
        #expect(value["d"] == [.bool(true), .null, .string("x")] && value["e"]?["f"] == .string("2026-11-28"))
        #expect(try read("") == nil)
    }

    @Test(
        "67: what two readers could understand differently is refused",
        arguments: [
            ("a: 1\na: 2", "unique"), ("a: { b: 1, b: 2 }", "unique"), ("a: { 1: x, \"1\": y }", "a.1 twice"), ("a: &x 1\nb: *x", "anchor"),
            ("a: &x { b: 1 }\nc: { <<: *x }", "anchor"), ("a: !!python/object:os.system x", "tag"), ("a: !mine [1]", "tag"),
            ("a: .nan", "JSON"),
            ("a: .inf", "JSON"), ("a: [", "not YAML"), ("1: { [a]: 1 }", "key that is no text"),
            ("a: &x [1,1]\nb: &y [*x,*x]\nc: [*y,*y]", "anchor"),
        ])
    func refused(text: String, says: String) throws {
        let failure = try #require(throws: StrictYAML.Failure.self) { try read(text) }
        #expect(failure.description.contains(says), "\(failure)")
    }

    @Test("67: files beyond the bounds are refused")
    func bounds() throws {
        let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
        for text in ["a: \(String(repeating: "x", count: 10_000))", "a: [\(String(repeating: "1,", count: 100))1]", "a: \(deep)"] {
            #expect(throws: StrictYAML.Failure.self) { try read(text) }
        }
    }

    @Test("secrets stand in headers and environments alone, and are left out where no tool is called")
    func secrets() throws {
        let tools = """
            tools:
              - name: shop.order
                description: Reads ${NAME}.
                effect: read
                parameters: { type: object, additionalProperties: false, required: [id], properties: { id: { type: string, maxLength: 9 } } }
                http: { method: GET, url: "https://shop.example/{id}", headers: { authorization: "Bearer ${NAME}" }, allow_hosts: [shop.example] }
            """
        let tool = try #require(try ToolsFile(yaml: tools, path: "t", environment: ["NAME": "s3cr3t"]).catalog["shop.order"])
        guard case .http(let http) = tool.adapter else {
            Issue.record("no HTTP tool")
            return
        }
        #expect(http.headers.first?.value == "Bearer s3cr3t" && tool.description == "Reads ${NAME}.")
        let failure = try #require(throws: ConfigurationError.self) { try ToolsFile(yaml: tools, path: "t", environment: [:]) }
        #expect("\(failure)".contains("NAME") && "\(failure)".contains("line 6"), "\(failure)")
        #expect(try ToolsFile(yaml: tools, path: "t", environment: nil).catalog.tools.count == 1)
        #expect(throws: ConfigurationError.self) { try ToolsFile(yaml: "tools: &a []", path: "t", environment: nil) }
    }
}
