internal import Engine
internal import JSON

/// Turns the events of a run into the bytes of a streamed response. Pure: entries in, named events out.
///
/// The last event of a whole response is `response.completed`. A cut is `response.incomplete` and then `error`, which OpenAI's
/// SDKs raise: truncated output must not pass for a whole one.
///
/// Source: OpenAI API reference, *Responses, streaming events*.
struct ResponseStream: AnswerStream {
    private let object: ResponseObject
    /// A cut ends with an error event; otherwise like a length that was reached.
    private let errorOnCut: Bool
    private var output: ResponseOutput
    private var sequence = 0
    private var isOver = false

    init(_ object: ResponseObject, errorOnCut: Bool) {
        self.object = object
        self.errorOnCut = errorOnCut
        output = ResponseOutput(of: object.run)
    }

    mutating func opening() -> [UInt8] {
        response("response.created") + response("response.in_progress")
    }

    mutating func bytes(for entries: [LogEntry]) -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries where !isOver {
            for change in output.take(entry) { bytes += self.bytes(for: change) }
            if output.hasGap {
                // What is missing must not look like a whole answer.
                bytes += error(HTTPFailure(runError: "events_lost", "Output was produced faster than it was read."))
                isOver = true
            } else if let ending = output.ending {
                bytes += self.bytes(for: ending)
                isOver = true
            }
        }
        return bytes
    }

    private mutating func bytes(for ending: ResponseEnding) -> [UInt8] {
        switch ending.kind {
        case .completed: return response("response.completed")
        case .incomplete, .cancelled: return response("response.incomplete")
        case .cut:
            let incomplete = response("response.incomplete")
            guard errorOnCut, let failure = ending.failure else { return incomplete }
            return incomplete + error(failure)
        case .failed:
            let failed = response("response.failed")
            guard let failure = ending.failure else { return failed }
            return failed + error(failure)
        }
    }

    private mutating func bytes(for change: ResponseOutput.Change) -> [UInt8] {
        switch change {
        case .opened(let index):
            let item = output.items[index]
            let added = event("response.output_item.added", index) { writer in
                writer.key("item")
                ResponseObject.write(item, isNew: true, into: &writer)
            }
            guard let names = PartNames(item.kind) else { return added }
            return added + part(names.added, names, index, "")
        case .grew(let index, let text):
            let item = output.items[index]
            guard let names = PartNames(item.kind) else {
                return event("response.function_call_arguments.delta", index) { writer in
                    writer.member("item_id", item.id)
                    writer.member("delta", text)
                }
            }
            return event(names.delta, index) { writer in
                writer.member("item_id", item.id)
                writer.member(names.index, 0)
                writer.member("delta", text)
                if names.hasLogprobs { writer.member("logprobs", []) }
            }
        case .closed(let index): return closed(index)
        }
    }

    private mutating func closed(_ index: Int) -> [UInt8] {
        let item = output.items[index]
        var bytes: [UInt8] = []
        if let names = PartNames(item.kind) {
            bytes += event(names.done, index) { writer in
                writer.member("item_id", item.id)
                writer.member(names.index, 0)
                writer.member("text", item.text)
                if names.hasLogprobs { writer.member("logprobs", []) }
            }
            bytes += part(names.closed, names, index, item.text)
        } else if item.status == .completed {
            bytes += event("response.function_call_arguments.done", index) { writer in
                writer.member("item_id", item.id)
                if case .functionCall(_, let name) = item.kind { writer.member("name", name) }
                writer.member("arguments", item.text)
            }
        }
        return bytes
            + event("response.output_item.done", index) { writer in
                writer.key("item")
                ResponseObject.write(item, into: &writer)
            }
    }

    private mutating func part(_ name: String, _ names: PartNames, _ index: Int, _ text: String) -> [UInt8] {
        let item = output.items[index]
        return event(name, index) { writer in
            writer.member("item_id", item.id)
            writer.member(names.index, 0)
            writer.member("part", ResponseObject.part(of: item, text))
        }
    }

    private mutating func response(_ name: String) -> [UInt8] {
        event(name) { [object, output] writer in
            writer.key("response")
            object.write(output, into: &writer)
        }
    }

    /// The members of OpenAI's event, and `error`, by which its SDKs know that they have to raise it.
    private mutating func error(_ failure: HTTPFailure) -> [UInt8] {
        event("error") { writer in
            writer.member("code", failure.code)
            writer.member("message", failure.message)
            writer.member("param", failure.param.map { .string($0) } ?? .null)
            writer.member("error", failure.error)
        }
    }

    private mutating func event(_ name: String, _ outputIndex: Int? = nil, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type", name)
        writer.member("sequence_number", sequence)
        if let outputIndex { writer.member("output_index", outputIndex) }
        members(&writer)
        writer.endObject()
        sequence += 1
        return Array("event: \(name)\ndata: ".utf8) + writer.bytes + Array("\n\n".utf8)
    }
}

/// The events of an item that has one part of text.
private struct PartNames {
    let added, delta, done, closed: String
    /// The member that numbers the part.
    let index: String
    let hasLogprobs: Bool

    /// Nil for a call, which has no parts.
    init?(_ kind: ResponseOutput.Item.Kind) {
        switch kind {
        case .message:
            (added, delta) = ("response.content_part.added", "response.output_text.delta")
            (done, closed) = ("response.output_text.done", "response.content_part.done")
            (index, hasLogprobs) = ("content_index", true)
        case .reasoning:
            (added, delta) = ("response.reasoning_summary_part.added", "response.reasoning_summary_text.delta")
            (done, closed) = ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done")
            (index, hasLogprobs) = ("summary_index", false)
        case .functionCall: return nil
        }
    }
}
