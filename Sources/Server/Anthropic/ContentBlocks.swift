internal import Engine
internal import JSON

/// The content blocks that a run has put out so far, one growing at a time. Pure: entries of the run's log in, changes out.
///
/// Calls that the server makes itself are none of the client's business and not among them.
struct ContentBlocks: Sendable {
    enum Kind: Sendable, Hashable {
        case text, thinking
        case toolUse(id: String, name: String)
        /// Thinking that its author shows to nobody.
        case redacted(String)
    }

    struct Block: Sendable, Hashable {
        let kind: Kind
        /// A call's is the JSON of its input.
        var text = ""
        /// Of thinking: what its author wants to see before it takes it back. Other models have none.
        var signature = ""
    }

    enum Change: Sendable, Hashable {
        case opened(Int)
        case grew(Int, by: String)
        case signed(Int)
        case closed(Int)
    }

    private(set) var blocks: [Block] = []
    private(set) var ending: RunEventBody?
    /// The reader was slower than the log's bound; what is missing must not look like a whole answer.
    private(set) var hasGap = false
    private var growing: Int?
    /// The client's calls by their number in the run.
    private var calls: [Int: Int] = [:]

    mutating func take(_ body: RunEventBody) -> [Change] {
        switch body {
        case .delta(let delta): return take(delta)
        case .step(let step) where step.step == ThinkingSeal.step: return seal(step.data)
        case .step(let step):
            guard step.toolCallOpening != nil, let index = step.data["index"]?.integerValue else { return [] }
            calls[Int(clamping: index)] = blocks.count
            let (id, name) = (step.data["call_id"]?.stringValue ?? "", step.data["tool"]?.stringValue ?? "")
            return close() + [open(.toolUse(id: id, name: name))]
        case .complete, .cut, .error:
            ending = body
            return close()
        case .gap: hasGap = true
        case .start, .usage, .approval: break
        }
        return []
    }

    private mutating func take(_ delta: RunDelta) -> [Change] {
        switch delta.marker {
        case .answer: return delta.index == 0 ? grow(.text, by: delta.text) : []
        case .thinking: return grow(.thinking, by: delta.text)
        case .tool:
            guard let index = calls[delta.index] else { return [] }
            blocks[index].text += delta.text
            return [.grew(index, by: delta.text)]
        }
    }

    private mutating func grow(_ kind: Kind, by text: String) -> [Change] {
        var changes: [Change] = []
        if let growing, blocks[growing].kind != kind { changes = close() }
        if growing == nil { changes.append(open(kind)) }
        guard let growing else { return changes }
        blocks[growing].text += text
        return changes + [.grew(growing, by: text)]
    }

    private mutating func seal(_ data: JSONObject) -> [Change] {
        if let redacted = data["redacted"]?.stringValue { return close() + [open(.redacted(redacted))] + close() }
        guard let signature = data["signature"]?.stringValue else { return [] }
        var changes: [Change] = []
        if growing.map({ blocks[$0].kind != .thinking }) ?? true { changes = close() + [open(.thinking)] }
        guard let growing else { return changes }
        blocks[growing].signature = signature
        return changes + [.signed(growing)] + close()
    }

    private mutating func open(_ kind: Kind) -> Change {
        growing = blocks.count
        blocks.append(Block(kind: kind))
        return .opened(blocks.count - 1)
    }

    private mutating func close() -> [Change] {
        guard let index = growing else { return [] }
        growing = nil
        return [.closed(index)]
    }
}

extension ContentBlocks.Block {
    /// As the stream opens it: empty.
    var opening: JSONValue {
        switch kind {
        case .text: ["type": "text", "text": ""]
        case .thinking: ["type": "thinking", "thinking": "", "signature": ""]
        case .toolUse(let id, let name):
            ["type": "tool_use", "id": .string(id), "name": .string(name), "input": .object(JSONObject())]
        case .redacted(let data): ["type": "redacted_thinking", "data": .string(data)]
        }
    }

    func delta(_ text: String) -> JSONValue {
        switch kind {
        case .text, .redacted: ["type": "text_delta", "text": .string(text)]
        case .thinking: ["type": "thinking_delta", "thinking": .string(text)]
        case .toolUse: ["type": "input_json_delta", "partial_json": .string(text)]
        }
    }

    /// As a whole message has it; nil for a call whose input is no object, which nobody could make.
    var whole: JSONValue? {
        switch kind {
        case .text: return ["type": "text", "text": .string(text)]
        case .thinking: return ["type": "thinking", "thinking": .string(text), "signature": .string(signature)]
        case .redacted: return opening
        case .toolUse(let id, let name):
            let input = text.isEmpty ? .object(JSONObject()) : (try? JSONValue(parsing: text)) ?? .null
            guard input.objectValue != nil else { return nil }
            return ["type": "tool_use", "id": .string(id), "name": .string(name), "input": input]
        }
    }
}
