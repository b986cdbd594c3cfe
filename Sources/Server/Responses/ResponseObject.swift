internal import Engine
internal import JSON

/// Writes a response and its items as JSON. A value.
///
/// Source: OpenAI API reference, *The response object*.
struct ResponseObject: Sendable {
    let run: RunID
    let model: String
    /// Milliseconds since 1970.
    let startedAt: Int64
    let echo: ResponseEcho

    init(_ handle: RunHandle, echo: ResponseEcho = ResponseEcho()) {
        self.init(run: handle.identity.run, model: handle.model, startedAt: handle.startedAt, echo: echo)
    }

    init(run: RunID, model: String, startedAt: Int64, echo: ResponseEcho) {
        self.run = run
        self.model = model
        self.startedAt = startedAt
        self.echo = echo
    }

    func bytes(_ output: ResponseOutput) -> [UInt8] {
        var writer = JSONWriter(reserving: 1_024)
        write(output, into: &writer)
        return writer.bytes
    }

    func write(_ output: ResponseOutput, into writer: inout JSONWriter) {
        let ending = output.ending
        writer.beginObject()
        writer.member("id", run.responseID)
        writer.member("object", "response")
        writer.member("created_at", startedAt / 1_000)
        writer.member("completed_at", ending.flatMap { $0.isWhole ? .integer($0.at / 1_000) : nil } ?? .null)
        writer.member("status", ending?.status ?? "in_progress")
        writer.member("error", ending?.error ?? .null)
        writer.member("incomplete_details", ending?.incompleteDetails ?? .null)
        writer.member("model", model)
        writer.key("output")
        writer.beginArray()
        for item in output.finalItems { Self.write(item, into: &writer) }
        writer.endArray()
        for member in echo.members.members { writer.member(member.key, member.value) }
        writer.member("usage", ending.map { Self.usage($0.settled) } ?? .null)
        if case .cut(let cut) = ending?.kind { writer.member("x_cut", cut.json(of: run)) }
        writer.endObject()
    }

    /// - Parameter isNew: as it is announced, before its text.
    static func write(_ item: ResponseOutput.Item, isNew: Bool = false, into writer: inout JSONWriter) {
        let status = isNew ? .inProgress : item.status
        writer.beginObject()
        writer.member("id", item.id)
        switch item.kind {
        case .message:
            writer.member("type", "message")
            writer.member("status", status.rawValue)
            writer.member("role", "assistant")
            writer.key("content")
            writer.beginArray()
            if !isNew { writer.value(part(of: item, item.text)) }
            writer.endArray()
        case .reasoning:
            writer.member("type", "reasoning")
            writer.member("status", status.rawValue)
            writer.key("summary")
            writer.beginArray()
            if !isNew { writer.value(part(of: item, item.text)) }
            writer.endArray()
        case .functionCall(let callID, let name):
            writer.member("type", "function_call")
            writer.member("status", status.rawValue)
            writer.member("call_id", callID)
            writer.member("name", name)
            writer.member("arguments", isNew ? "" : item.text)
        }
        writer.endObject()
    }

    /// The one part that an item of text has.
    static func part(of item: ResponseOutput.Item, _ text: String) -> JSONValue {
        if item.kind == .reasoning { return ["type": "summary_text", "text": .string(text)] }
        return ["type": "output_text", "text": .string(text), "annotations": [], "logprobs": []]
    }

    static func usage(_ settled: SettledUsage) -> JSONValue {
        [
            "input_tokens": .integer(Int64(settled.inputTokens)),
            "input_tokens_details": [
                "cached_tokens": .integer(Int64(settled.details.cacheRead)),
                "cache_write_tokens": .integer(Int64(settled.details.cacheWrite)),
            ],
            "output_tokens": .integer(Int64(settled.outputTokens)),
            "output_tokens_details": ["reasoning_tokens": .integer(Int64(settled.details.reasoning))],
            "total_tokens": .integer(Int64(settled.inputTokens + settled.outputTokens)),
        ]
    }
}

extension ResponseEnding {
    /// The failure that the stream's last event tells; nil for an end that is none.
    var failure: HTTPFailure? {
        switch kind {
        case .cut(let cut): HTTPFailure(cut)
        case .failed(let code, let message): HTTPFailure(runError: code, message)
        case .completed, .incomplete, .cancelled: nil
        }
    }

    /// OpenAI's clients know a closed list of codes here; ours is beside it.
    fileprivate var error: JSONValue? {
        guard case .failed = kind, let failure else { return nil }
        return [
            "code": "server_error", "message": .string(failure.message), "type": .string(failure.type), "x_code": .string(failure.code),
        ]
    }

    /// What a client gives for the reason of an end that it does not know by itself: frameworks print these members.
    fileprivate var incompleteDetails: JSONValue? {
        switch kind {
        case .incomplete(let reason): return ["reason": .string(reason)]
        case .cut(let cut):
            let failure = HTTPFailure(cut)
            return ["reason": "max_output_tokens", "code": .string(failure.code), "message": .string(failure.message)]
        case .completed, .cancelled, .failed: return nil
        }
    }
}
