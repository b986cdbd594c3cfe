import Engine
import JSON
import Testing

@testable import EngineProviders

@Suite("Names of functions upstream (pure)")
struct FunctionNamesTests {
    private func tools(_ names: String...) -> JSONValue {
        .array(names.map { ["type": "function", "function": ["name": .string($0)]] })
    }

    private func upstream(_ name: String, _ names: FunctionNames) -> String? {
        names.upstream(["function": ["name": .string(name)]])["function"]?["name"]?.stringValue
    }

    @Test("a dot is a hyphen upstream, and the call gets its own name back")
    func dots() {
        let names = FunctionNames(tools("payments.refund", "lookup"))
        #expect(upstream("payments.refund", names) == "payments-refund")
        #expect(upstream("lookup", names) == "lookup")
        #expect(names.own("payments-refund") == "payments.refund")
        #expect(names.own("lookup") == "lookup" && names.own("invented-name") == "invented-name")
    }

    @Test("names that would become one stay apart, and none gets longer")
    func collisions() {
        let names = FunctionNames(tools("a.b.c", "a-b-c", "a.b-c", "a-b.c"))
        let sent = ["a.b.c", "a-b-c", "a.b-c", "a-b.c"].compactMap { upstream($0, names) }
        #expect(Set(sent).count == 4)
        #expect(sent.allSatisfy { $0.utf8.count == 5 })
        #expect(sent.map(names.own) == ["a.b.c", "a-b-c", "a.b-c", "a-b.c"])
    }

    @Test("the whole request speaks of the upstream's names, and the answer of ours")
    func request() throws {
        let call: JSONValue = ["id": "c1", "type": "function", "function": ["name": "crm.lookup", "arguments": "{}"]]
        let request = ModelRequest(
            model: "m",
            messages: [
                ModelMessage(role: "assistant", content: .null, extra: JSONObject([("tool_calls", [call])])),
                ModelMessage(role: "tool", content: "ok", extra: JSONObject([("tool_call_id", "c1"), ("name", "crm.lookup")])),
            ],
            tools: tools("crm.lookup"),
            parameters: JSONObject([("tool_choice", ["type": "function", "function": ["name": "crm.lookup"]])]))
        let upstream = OpenAIProvider.Configuration(baseURL: "http://localhost/v1", apiKey: nil, upstreamModel: "m")
        let body = String(decoding: ChatRequestBody.encode(request, upstream), as: UTF8.self)
        #expect(!body.contains("crm.lookup"))
        #expect(body.ranges(of: "crm-lookup").count == 4)

        var parser = ChatChunkParser(names: FunctionNames(request.tools))
        var events: [ModelEvent] = []
        let sent = #"{"index":0,"id":"c1","function":{"name":"crm-lookup","arguments":""}}"#
        let chunk = #"{"choices":[{"delta":{"tool_calls":[\#(sent)]}}]}"#
        try parser.accept(Array(chunk.utf8), into: &events)
        #expect(
            events == [.toolCallDelta(ToolCallDelta(index: 0, id: "c1", name: "crm.lookup", argumentsFragment: "", tokens: 1))])
    }
}
