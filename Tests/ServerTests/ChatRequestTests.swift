import Engine
import HTTPTypes
import JSON
import Testing

@testable import kdcube

@Suite("What clients send: chat_message, chat completions, tenant hints")
struct ChatRequestTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

    @Test("a message may stand in the body or inside `message`, with the other fields on either level")
    func messageForms() throws {
        let flat = try ChatMessage(parse(#"{"text":"hi","conversation_id":"c-1","max_tokens":5,"temperature":0.5}"#))
        let nested = try ChatMessage(parse(#"{"message":{"text":"hi","max_tokens":5},"conversation_id":"c-1","temperature":0.5}"#))
        for message in [flat, nested] {
            #expect(message.text == "hi" && message.conversation?.text == "c-1" && message.outputTokensMax == 5)
            #expect(message.parameters["temperature"] == .number("0.5"))
        }
    }

    @Test(
        "what breaks a rule is refused with the field's name",
        arguments: [
            ("[]", nil), ("{}", "text"), (#"{"text":""}"#, "text"), (#"{"text":5}"#, "text"),
            (#"{"text":"a","max_tokens":0}"#, "max_tokens"),
            (#"{"text":"a","max_tokens":1.5}"#, "max_tokens"), (#"{"text":"a","conversation_id":"a/b"}"#, "conversation_id"),
            (#"{"text":"a","temperature":3}"#, "temperature"), (#"{"text":"a","tools":{}}"#, "tools"),
            (#"{"message":{"text":7}}"#, "message.text"), (#"{"text":"a","knowledge":true}"#, "knowledge"),
            (#"{"text":"a","knowledge":{"text":"b"}}"#, "knowledge"), (#"{"text":"a","knowledge":["b"]}"#, "knowledge[0]"),
            (#"{"text":"a","knowledge":[{"title":"b"}]}"#, "knowledge[0].text"),
            (#"{"message":{"text":"a","knowledge":[{"text":"b","title":1}]}}"#, "message.knowledge[0].title"),
        ] as [(String, String?)])
    func messageRefusals(text: String, field: String?) throws {
        let error = #expect(throws: HTTPFailure.self) { try ChatMessage(parse(text)) }
        #expect(error?.param == field)
        #expect(error?.status.code == 400 && error?.code == "invalid_request_error")
    }

    @Test("knowledge is one text or a list of passages, in the message or beside it")
    func knowledge() throws {
        let list = #"[{"text":"a","title":"A"},{"text":"b"}]"#
        let both = [KnowledgePassage(title: "A", text: "a"), KnowledgePassage(text: "b")]
        #expect(try ChatMessage(parse(#"{"text":"hi","knowledge":\#(list)}"#)).knowledge == both)
        #expect(try ChatMessage(parse(#"{"message":{"text":"hi"},"knowledge":\#(list)}"#)).knowledge == both)
        #expect(try ChatMessage(parse(#"{"message":{"text":"hi","knowledge":"a"}}"#)).knowledge == [KnowledgePassage(text: "a")])
        for none in [
            #"{"text":"hi"}"#, #"{"text":"hi","knowledge":null}"#, #"{"text":"hi","knowledge":""}"#, #"{"text":"hi","knowledge":[]}"#,
        ] {
            #expect(try ChatMessage(parse(none)).knowledge.isEmpty)
        }
        let many = Array(repeating: #"{"text":"a"}"#, count: RequestLimits.knowledgePassagesMax)
        #expect(try ChatMessage(parse(#"{"text":"hi","knowledge":[\#(many.joined(separator: ","))]}"#)).knowledge.count == many.count)
        let tooMany = (many + [#"{"text":"a"}"#]).joined(separator: ",")
        #expect(throws: HTTPFailure.self) { try ChatMessage(parse(#"{"text":"hi","knowledge":[\#(tooMany)]}"#)) }
        let half = String(repeating: "x", count: RequestLimits.textBytesMax / 2 + 1)
        #expect(throws: HTTPFailure.self) {
            try ChatMessage(parse(#"{"text":"hi","knowledge":[{"text":"\#(half)"},{"text":"\#(half)"}]}"#))
        }
    }

    @Test("a completion keeps what it does not interpret and drops what it does")
    func completion() throws {
        let text = #"""
            {"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}],"name":"n"}],"stream":true,
             "stream_options":{"include_usage":true},"max_tokens":9,"max_completion_tokens":7,"seed":3,"stop":["x"],"n":1}
            """#
        let request = try ChatCompletionRequest(parse(text))
        #expect(request.streams && request.includesUsage && request.outputTokensMax == 7)
        #expect(request.messages.first?.text == "a" && request.messages.first?.extra["name"] == "n")
        #expect(request.parameters.members.map(\.key) == ["seed", "stop"])
    }

    @Test(
        "a completion that would escape the accounting, or is malformed, is refused with the field's name",
        arguments: [
            (#"{"messages":[]}"#, "model"), (#"{"model":"m"}"#, "messages"), (#"{"model":"m","messages":[]}"#, "messages"),
            (#"{"model":"m","messages":[{"role":"user","content":"a"}],"n":2}"#, "n"),
            (#"{"model":"m","messages":[{"content":"a"}]}"#, "messages[0].role"),
            (#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#, "messages[0].content"),
            (#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content"),
            (#"{"model":"m","messages":[{"role":"user","content":"a"}],"stream":"yes"}"#, "stream"),
            (#"{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":-1}"#, "max_tokens"),
        ])
    func completionRefusals(text: String, field: String) throws {
        let error = #expect(throws: HTTPFailure.self) { try ChatCompletionRequest(parse(text)) }
        #expect(error?.param == field)
    }

    @Test("a tenant hint may only repeat what the credential says")
    func hints() throws {
        let principal = Principal(keyID: "k", org: "acme", project: "web", user: nil, roles: [], onCut: .error)
        try TenantHints().check(against: principal)
        try TenantHints(tenant: "acme", project: "web").check(against: principal)
        try TenantHints(tenant: "", project: "acme/web").check(against: principal)
        #expect(throws: TenantMismatch(field: "tenant")) { try TenantHints(tenant: "other").check(against: principal) }
        #expect(throws: TenantMismatch(field: "project")) { try TenantHints(project: "other").check(against: principal) }
        #expect(throws: TenantMismatch(field: "project")) { try TenantHints(project: "other/web").check(against: principal) }
    }

    @Test("a client's loss is settled by the request, else its key, else its model, else the server; a completion stops by itself")
    func disconnectRules() {
        var rules = DisconnectRules()
        rules.models["m"] = .stop
        let stop = RunRequest.ClientLossPolicy.stop(grace: rules.grace)
        #expect(rules.policy(for: "other", asked: nil, key: nil) == .drain)
        #expect(rules.policy(for: "m", asked: nil, key: nil) == stop)
        #expect(rules.policy(for: "m", asked: nil, key: .drain) == .drain)
        #expect(rules.policy(for: "other", asked: nil, key: .stop) == stop)
        #expect(rules.policy(for: "other", asked: .drain, key: .stop) == .drain)
        #expect(DisconnectRules.policyOfCompletion(asked: nil, key: nil) == .stop(grace: .zero))
        #expect(DisconnectRules.policyOfCompletion(asked: nil, key: .drain) == .drain)
        #expect(DisconnectRules.policyOfCompletion(asked: .stop, key: .drain) == .stop(grace: .zero))
    }

    @Test("who leaves, and what may be lowered, can be said on every way in")
    func disconnectAndLowering() throws {
        let message = try ChatMessage(parse(#"{"message":{"text":"hi","on_disconnect":"stop"},"lower_max_tokens":true}"#))
        #expect(message.onDisconnect == .stop && message.mayLowerOutput)
        let body = #"{"model":"m","messages":[{"role":"user","content":"x"}],"on_disconnect":"drain","lower_max_tokens":true}"#
        let completion = try ChatCompletionRequest(parse(body))
        #expect(completion.onDisconnect == .drain && completion.mayLowerOutput && completion.parameters.isEmpty)
    }

    @Test(
        "what an upstream bills by other things than tokens is refused with the field's name",
        arguments: [
            ("n", "2"), ("best_of", "3"), ("audio", "{}"), ("modalities", #"["text","audio"]"#), ("web_search_options", "{}"),
            ("models", #"["a","b"]"#), ("chat_template", #""x""#), ("plugins", "[]"), ("service_tier", #""priority""#),
            ("on_disconnect", "1"),
        ])
    func unbounded(key: String, value: String) throws {
        let body = try parse(#"{"model":"m","messages":[{"role":"user","content":"x"}],"\#(key)":\#(value)}"#)
        let failure = #expect(throws: HTTPFailure.self) { try ChatCompletionRequest(body) }
        #expect(failure?.param == key)
    }
}
