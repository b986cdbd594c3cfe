internal import Engine
internal import JSON

/// Turns the events of a run into the bytes of a streamed message. Pure: entries in, named events out.
///
/// A cut closes the last block, says why in `message_delta` (`stop_reason`, `x_cut`), and ends with an `error` event, which
/// Anthropic's SDKs raise; for a key whose cuts end like a full answer it ends with `message_stop`.
///
/// Source: Anthropic API reference, *Streaming messages*.
struct MessageStream: AnswerStream {
    private let object: MessageObject
    /// A cut ends with an error event; otherwise like a length that was reached.
    private let errorOnCut: Bool
    private let requestID: String
    private var content = ContentBlocks()
    private var isOver = false

    init(_ object: MessageObject, errorOnCut: Bool, requestID: String) {
        self.object = object
        self.errorOnCut = errorOnCut
        self.requestID = requestID
    }

    func opening() -> [UInt8] {
        event("message_start") { $0.member("message", object.opening) } + event("ping") { _ in }
    }

    mutating func bytes(for entries: [LogEntry]) -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries where !isOver {
            for change in content.take(entry.body) { bytes += self.bytes(for: change) }
            if content.hasGap {
                bytes += error(HTTPFailure(runError: "events_lost", "Output was produced faster than it was read."))
                isOver = true
            } else if let ending = content.ending {
                bytes += self.bytes(for: ending)
                isOver = true
            }
        }
        return bytes
    }

    private func bytes(for change: ContentBlocks.Change) -> [UInt8] {
        switch change {
        case .opened(let index):
            event("content_block_start", index) { $0.member("content_block", content.blocks[index].opening) }
        case .grew(let index, let text): event("content_block_delta", index) { $0.member("delta", content.blocks[index].delta(text)) }
        case .signed(let index):
            event("content_block_delta", index) {
                $0.member("delta", ["type": "signature_delta", "signature": .string(content.blocks[index].signature)])
            }
        case .closed(let index): event("content_block_stop", index) { _ in }
        }
    }

    private func bytes(for ending: RunEventBody) -> [UInt8] {
        switch ending {
        case .complete(_, let reason, let settled): delta(.string(reason.anthropicStopReason), settled) + stop
        case .cut(let cut, let settled):
            delta("max_tokens", settled, cut: cut.json(of: object.run)) + (errorOnCut ? error(HTTPFailure(cut)) : stop)
        case .error(let code, let message, let settled): delta(.null, settled) + error(HTTPFailure(runError: code, message))
        default: []
        }
    }

    private func delta(_ reason: JSONValue, _ settled: SettledUsage, cut: JSONValue? = nil) -> [UInt8] {
        event("message_delta") { writer in
            writer.member("delta", ["stop_reason": reason, "stop_sequence": .null])
            writer.member("usage", MessageObject.usage(settled))
            if let cut { writer.member("x_cut", cut) }
        }
    }

    private var stop: [UInt8] { event("message_stop") { _ in } }

    private func error(_ failure: HTTPFailure) -> [UInt8] {
        Array("event: error\ndata: ".utf8) + failure.anthropicObject(requestID).jsonBytes + Array("\n\n".utf8)
    }

    private func event(_ name: String, _ index: Int? = nil, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type", name)
        if let index { writer.member("index", index) }
        members(&writer)
        writer.endObject()
        return Array("event: \(name)\ndata: ".utf8) + writer.bytes + Array("\n\n".utf8)
    }
}
