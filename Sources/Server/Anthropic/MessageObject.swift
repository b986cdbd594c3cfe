internal import Engine
internal import JSON

/// What is the same in every part of one answer in Anthropic's dialect. A value.
struct MessageObject: Sendable {
    let run: RunID
    let model: String
    /// What the prompt probably has, until the end says what was charged.
    let promptEstimate: Int

    var id: String { "msg_" + run.suffix }

    /// The message of `message_start`.
    var opening: JSONValue {
        object(content: [], stopReason: .null, usage: Self.usage(SettledUsage(inputTokens: promptEstimate, outputTokens: 0, costUSD: "0")))
    }

    /// The whole answer.
    ///
    /// - Throws: the run's error.
    func whole(_ content: ContentBlocks) throws(HTTPFailure) -> JSONValue {
        switch content.ending {
        case .complete(_, let reason, let settled):
            return object(
                content: content.blocks.compactMap(\.whole), stopReason: .string(reason.anthropicStopReason), usage: Self.usage(settled))
        case .cut(let cut, let settled):
            // A call that was cut in the middle of its input must not look like one that may be made.
            let blocks = content.blocks.filter { block in if case .toolUse = block.kind { false } else { true } }
            return object(
                content: blocks.compactMap(\.whole), stopReason: "max_tokens", usage: Self.usage(settled), cut: cut.json(of: run))
        case .error(let code, let message, _): throw HTTPFailure(runError: code, message)
        default: throw HTTPFailure(runError: "internal_error", "The run ended without a result.")
        }
    }

    private func object(content: [JSONValue], stopReason: JSONValue, usage: JSONValue, cut: JSONValue? = nil) -> JSONValue {
        var object = JSONObject([
            ("id", .string(id)), ("type", "message"), ("role", "assistant"), ("model", .string(model)), ("content", .array(content)),
            ("stop_reason", stopReason), ("stop_sequence", .null), ("usage", usage),
        ])
        if let cut { object["x_cut"] = cut }
        return .object(object)
    }

    /// Here what a cache took and gave stands beside the input tokens and not among them.
    static func usage(_ settled: SettledUsage) -> JSONValue {
        let details = settled.details
        var usage = JSONObject([
            ("input_tokens", .integer(Int64(settled.inputTokens - details.cacheRead - details.cacheWrite))),
            ("cache_creation_input_tokens", .integer(Int64(details.cacheWrite))),
            ("cache_read_input_tokens", .integer(Int64(details.cacheRead))), ("output_tokens", .integer(Int64(settled.outputTokens))),
        ])
        if details.reasoning > 0 { usage["output_tokens_details"] = ["thinking_tokens": .integer(Int64(details.reasoning))] }
        return .object(usage)
    }
}

extension String {
    /// Our finish reasons in Anthropic's words; one that its clients do not know becomes the nearest that they do.
    var anthropicStopReason: String {
        switch self {
        case "length": "max_tokens"
        case "tool_calls", "function_call": "tool_use"
        case "content_filter": "refusal"
        case "stop_sequence": "stop_sequence"
        default: "end_turn"
        }
    }
}
