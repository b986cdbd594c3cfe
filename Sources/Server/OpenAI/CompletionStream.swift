internal import Engine
internal import JSON

/// Turns the events of a run into the bytes of a streamed completion. Pure: entries in, `data:` lines out.
struct CompletionStream: AnswerStream {
    let chunks: ChatCompletionChunks
    /// The run, which `x_cut` names: a completion's id is OpenAI's.
    let run: RunID
    /// A cut ends with an error event; otherwise like a length that was reached.
    let errorOnCut: Bool
    /// The calls that the client was told of: argument text of the server's own calls is not for it.
    private var openedCalls: Set<Int64> = []

    init(chunks: ChatCompletionChunks, run: RunID, errorOnCut: Bool) {
        self.chunks = chunks
        self.run = run
        self.errorOnCut = errorOnCut
    }

    func opening() -> [UInt8] { chunks.opening() }

    mutating func bytes(for entries: [LogEntry]) -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries { append(entry.body, to: &bytes) }
        return bytes
    }

    private mutating func append(_ body: RunEventBody, to bytes: inout [UInt8]) {
        switch body {
        case .delta(let delta):
            switch delta.marker {
            case .answer: bytes += chunks.content(delta.text)
            case .thinking: bytes += chunks.reasoning(delta.text)
            case .tool:
                guard openedCalls.contains(Int64(delta.index)) else { return }
                bytes += chunks.toolCall(["index": .integer(Int64(delta.index)), "function": ["arguments": .string(delta.text)]])
            }
        case .step(let step):
            guard let call = step.toolCallOpening else { return }
            openedCalls.insert(call["index"]?.integerValue ?? 0)
            bytes += chunks.toolCall(call)
        case .complete(_, let finishReason, let settled):
            bytes += chunks.finish(reason: finishReason.openAIFinishReason) + usage(settled) + ChatCompletionChunks.done
        case .cut(let cut, let settled):
            bytes += chunks.finish(reason: "length", cut: cut.json(of: run)) + usage(settled)
            if errorOnCut { bytes += chunks.error(HTTPFailure(cut).errorObject) }
            bytes += ChatCompletionChunks.done
        case .error(let code, let message, let settled):
            bytes += usage(settled) + chunks.error(HTTPFailure(runError: code, message).errorObject) + ChatCompletionChunks.done
        case .gap:
            // The reader was slower than the log's bound; what is missing must not look like a whole answer.
            bytes += chunks.error(HTTPFailure(runError: "events_lost", "Output was produced faster than it was read.").errorObject)
        case .start, .usage, .approval: break
        }
    }

    private func usage(_ settled: SettledUsage) -> [UInt8] {
        guard chunks.includesUsage else { return [] }
        let details = settled.details
        return chunks.usage(
            input: settled.inputTokens, cachedInput: details.cacheRead, output: settled.outputTokens, reasoning: details.reasoning)
    }
}

extension String {
    /// Our finish reasons that OpenAI's clients do not know become the nearest that they do.
    var openAIFinishReason: String {
        switch self {
        case "stop", "length", "tool_calls", "content_filter", "function_call": self
        default: "stop"
        }
    }
}

extension RunStep {
    /// The first piece of a tool call, as OpenAI streams it; nil for any other step, and for calls that the server makes itself.
    var toolCallOpening: JSONValue? {
        guard step == "tool_call", status == .started, !isServerCall else { return nil }
        return [
            "index": data["index"] ?? 0, "id": data["call_id"] ?? "", "type": "function",
            "function": ["name": data["tool"] ?? "", "arguments": ""],
        ]
    }
}
