internal import Engine
internal import JSON

/// A completion that is answered as one object: collects what a run says.
struct CompletionAnswer: Sendable {
    let id: String
    let run: RunID
    let created: Int64
    let model: String
    private var content = ""
    private var reasoning = ""
    private var toolCalls: [Int: ToolCall] = [:]
    private var ending: RunEventBody?

    private struct ToolCall {
        var id: JSONValue
        var name: JSONValue
        var arguments = ""
    }

    init(id: String, run: RunID, created: Int64, model: String) {
        self.id = id
        self.run = run
        self.created = created
        self.model = model
    }

    mutating func add(_ body: RunEventBody) {
        switch body {
        case .delta(let delta):
            switch delta.marker {
            case .answer where delta.index == 0: content += delta.text
            case .answer: break
            case .thinking: reasoning += delta.text
            case .tool: toolCalls[delta.index]?.arguments += delta.text
            }
        case .step(let step):
            guard step.toolCallOpening != nil, let index = step.data["index"]?.integerValue else { return }
            toolCalls[Int(index)] = ToolCall(id: step.data["call_id"] ?? "", name: step.data["tool"] ?? "")
        case .complete, .cut, .error: ending = body
        case .start, .usage, .approval, .gap: break
        }
    }

    /// What the run was charged; nil before its end.
    var costUSD: String? {
        switch ending {
        case .complete(_, _, let settled), .cut(_, let settled), .error(_, _, let settled): settled.costUSD
        default: nil
        }
    }

    /// - Throws: the run's error.
    func json() throws(HTTPFailure) -> JSONValue {
        switch ending {
        case .complete(_, let reason, let settled): object(finishReason: reason.openAIFinishReason, settled)
        case .cut(let cut, let settled): object(finishReason: "length", settled, cut: cut)
        case .error(let code, let message, _): throw HTTPFailure(runError: code, message)
        default: throw HTTPFailure(runError: "internal_error", "The run ended without a result.")
        }
    }

    private func object(finishReason: String, _ settled: SettledUsage, cut: CutDescription? = nil) -> JSONValue {
        var message = JSONObject([("role", "assistant"), ("content", .string(content))])
        if !reasoning.isEmpty { message["reasoning_content"] = .string(reasoning) }
        // A call that was cut in the middle of its arguments must not look like one that may be made.
        if !toolCalls.isEmpty, cut == nil {
            message["tool_calls"] = .array(
                toolCalls.sorted { $0.key < $1.key }.map { _, call in
                    ["id": call.id, "type": "function", "function": ["name": call.name, "arguments": .string(call.arguments)]]
                })
        }
        var object = JSONObject([
            ("id", .string(id)), ("object", "chat.completion"), ("created", .integer(created)), ("model", .string(model)),
            ("choices", [["index": 0, "message": .object(message), "finish_reason": .string(finishReason), "logprobs": .null]]),
            (
                "usage",
                ChatCompletionChunks.usage(
                    input: settled.inputTokens, cachedInput: settled.details.cacheRead, output: settled.outputTokens,
                    reasoning: settled.details.reasoning)
            ),
        ])
        if let cut { object["x_cut"] = cut.json(of: run) }
        return .object(object)
    }
}
