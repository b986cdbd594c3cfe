internal import Engine
internal import JSON

/// The items that a response has put out so far, and how it ended. Pure: entries of the run's log in, changes out.
///
/// One message or one piece of reasoning grows at a time; calls stay open until the end, because their arguments may come in any
/// order, and because a call that was cut off must not look like one that may be made.
struct ResponseOutput: Sendable {
    struct Item: Sendable, Hashable {
        enum Kind: Sendable, Hashable {
            case message, reasoning
            case functionCall(callID: String, name: String)
        }

        enum Status: String, Sendable, Hashable {
            case inProgress = "in_progress"
            case completed, incomplete
        }

        let id: String
        let kind: Kind
        var text = ""
        var status = Status.inProgress
    }

    /// What became of the item at an index.
    enum Change: Sendable, Hashable {
        case opened(Int)
        case grew(Int, by: String)
        case closed(Int)
    }

    private(set) var items: [Item] = []
    private(set) var ending: ResponseEnding?
    /// The reader was slower than the log's bound, or came too late: something is missing in the middle.
    private(set) var hasGap = false
    /// Told in every item's name, so that names of several responses do not meet in one conversation.
    private let suffix: String
    /// The message or the reasoning that grows.
    private var growing: Int?
    /// The client's calls by their number in the run.
    private var calls: [Int: Int] = [:]

    init(of run: RunID) { suffix = run.suffix }

    /// The items of the finished response: calls that were cut off are left out.
    var finalItems: [Item] {
        items.filter { item in
            if case .functionCall = item.kind { item.status != .incomplete } else { true }
        }
    }

    mutating func take(_ entry: LogEntry) -> [Change] {
        switch entry.body {
        case .delta(let delta): return take(delta)
        case .step(let step):
            guard step.toolCallOpening != nil, let index = step.data["index"]?.integerValue else { return [] }
            let kind = Item.Kind.functionCall(
                callID: step.data["call_id"]?.stringValue ?? "", name: step.data["tool"]?.stringValue ?? "")
            let changes = stopGrowing(.completed)
            calls[Int(clamping: index)] = items.count
            return changes + [open(kind)]
        case .complete, .cut, .error:
            ending = ResponseEnding(entry)
            return closeAll(ending?.isWhole == true ? .completed : .incomplete)
        case .gap: hasGap = true
        case .start, .usage, .approval: break
        }
        return []
    }

    private mutating func take(_ delta: RunDelta) -> [Change] {
        switch delta.marker {
        case .answer: return delta.index == 0 ? grow(.message, by: delta.text) : []
        case .thinking: return grow(.reasoning, by: delta.text)
        case .tool:
            guard let index = calls[delta.index] else { return [] }
            items[index].text += delta.text
            return [.grew(index, by: delta.text)]
        }
    }

    private mutating func grow(_ kind: Item.Kind, by text: String) -> [Change] {
        var changes: [Change] = []
        if let growing, items[growing].kind != kind { changes = stopGrowing(.completed) }
        if growing == nil {
            growing = items.count
            changes.append(open(kind))
        }
        guard let growing else { return changes }
        items[growing].text += text
        return changes + [.grew(growing, by: text)]
    }

    private mutating func open(_ kind: Item.Kind) -> Change {
        let prefix =
            switch kind {
            case .message: "msg"
            case .reasoning: "rs"
            case .functionCall: "fc"
            }
        items.append(Item(id: "\(prefix)_\(suffix)_\(items.count)", kind: kind))
        return .opened(items.count - 1)
    }

    private mutating func stopGrowing(_ status: Item.Status) -> [Change] {
        guard let index = growing else { return [] }
        growing = nil
        items[index].status = status
        return [.closed(index)]
    }

    private mutating func closeAll(_ status: Item.Status) -> [Change] {
        growing = nil
        var changes: [Change] = []
        for index in items.indices where items[index].status == .inProgress {
            items[index].status = status
            changes.append(.closed(index))
        }
        return changes
    }
}

/// How a response ended, in the words of its dialect.
struct ResponseEnding: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case completed
        /// `max_output_tokens` or `content_filter`.
        case incomplete(String)
        case cancelled
        case cut(CutDescription)
        case failed(code: String, message: String)
    }

    let kind: Kind
    let settled: SettledUsage
    /// Milliseconds since 1970.
    let at: Int64

    /// Nil for an entry that ends nothing.
    init?(_ entry: LogEntry) {
        at = entry.timestamp
        switch entry.body {
        case .complete(_, let reason, let settled):
            self.settled = settled
            kind =
                switch reason {
                case "length": .incomplete("max_output_tokens")
                case "content_filter": .incomplete("content_filter")
                case "cancelled", "client_lost": .cancelled
                default: .completed
                }
        case .cut(let cut, let settled): (self.settled, kind) = (settled, .cut(cut))
        case .error(let code, let message, let settled): (self.settled, kind) = (settled, .failed(code: code, message: message))
        default: return nil
        }
    }

    var isWhole: Bool { kind == .completed }

    var status: String {
        switch kind {
        case .completed: "completed"
        case .incomplete, .cut: "incomplete"
        case .cancelled: "cancelled"
        case .failed: "failed"
        }
    }
}

extension RunID {
    /// What a run's name has after its prefix: the part that is the same in every dialect.
    var suffix: String { String(text.dropFirst("run_".count)) }
    var responseID: String { "resp_" + suffix }

    /// Nil when it cannot be a response of ours.
    init?(responseID text: String) {
        guard text.hasPrefix("resp_") else { return nil }
        self.init("run_" + text.dropFirst("resp_".count))
    }
}
