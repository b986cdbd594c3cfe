public import JSON

/// The events of a run by the names under which Socket.IO and SSE carry them (contract §3). There are no others.
public enum RunEventName: String, Sendable, Hashable, CaseIterable {
    case start = "chat_start"
    case step = "chat_step"
    case delta = "chat_delta"
    case usage = "chat_usage"
    case approval = "chat_approval"
    case cut = "chat_cut"
    case complete = "chat_complete"
    case error = "chat_error"
    case gap
}

/// What one event of a run says, without its envelope (contract §3). Boxed: one word wherever it is kept.
public indirect enum RunEventBody: Sendable, Hashable {
    case start(model: String, message: String)
    case step(RunStep)
    case delta(RunDelta)
    case usage(UsageReport)
    case approval(RunApproval)
    case cut(CutDescription, SettledUsage)
    case complete(finalAnswer: String, finishReason: String, SettledUsage)
    case error(code: String, message: String, SettledUsage)
    /// Not an event of the run but of a reader that came too late: these numbers are no longer held.
    case gap

    /// The `type` of the envelope.
    public var type: String {
        switch self {
        case .start: "chat.start"
        case .step: "chat.step"
        case .delta: "chat.delta"
        case .usage: "chat.usage"
        case .approval: "chat.approval"
        case .cut: "chat.cut"
        case .complete: "chat.complete"
        case .error: "chat.error"
        case .gap: "gap"
        }
    }

    /// The name under which Socket.IO and SSE carry it.
    public var eventName: String { name.rawValue }

    /// Which of the events it is.
    public var name: RunEventName {
        switch self {
        case .start: .start
        case .step: .step
        case .delta: .delta
        case .usage: .usage
        case .approval: .approval
        case .cut: .cut
        case .complete: .complete
        case .error: .error
        case .gap: .gap
        }
    }

    /// Set for the one event that ends a run.
    public var outcome: RunOutcome? {
        switch self {
        case .complete: .complete
        case .cut: .cut
        case .error: .error
        case .start, .step, .delta, .usage, .approval, .gap: nil
        }
    }

    /// About how many bytes it occupies, for the log's bound.
    var byteCount: Int {
        switch self {
        case .start(let model, let message): 64 + model.utf8.count + message.utf8.count
        case .step(let step): 128 + step.title.utf8.count + step.dataBytes
        case .delta(let delta): delta.utf8.count
        case .usage(let report): 128 + 128 * report.windows.count
        case .approval(let approval): 256 + approval.dataBytes
        case .complete(let answer, _, _): 128 + answer.utf8.count
        case .cut, .error: 512
        case .gap: 0
        }
    }
}

/// How a run ended.
public enum RunOutcome: String, Sendable, Hashable, CaseIterable {
    case complete, cut, error
}

/// Text that was forwarded: one delta, or several that a slow reader gets as one.
public struct RunDelta: Sendable, Hashable {
    /// Whole, valid UTF-8.
    public let utf8: [UInt8]
    public let marker: DeltaMarker
    /// Of parallel answers, or of tool calls where the marker is `tool`.
    public let index: Int

    public init(utf8: [UInt8], marker: DeltaMarker, index: Int) {
        self.utf8 = utf8
        self.marker = marker
        self.index = index
    }

    public var text: String { String(decoding: utf8, as: UTF8.self) }
}

/// Something that happens inside a run, for instance a tool call.
public struct RunStep: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable {
        case started, running, completed, error, skipped
    }

    public let step: String
    public let status: Status
    public let title: String
    public let data: JSONObject
    let dataBytes: Int

    public init(step: String, status: Status, title: String, data: JSONObject) {
        self.step = step
        self.status = status
        self.title = title
        self.data = data
        dataBytes = JSONValue.object(data).jsonBytes.count
    }
}

/// A tool call that waits for a human.
public struct RunApproval: Sendable, Hashable {
    public let id: String
    public let tool: String
    public let args: JSONValue
    /// Who may decide, as the policy names them.
    public let from: String
    public let quorum: Int
    /// How many have agreed so far.
    public let agreed: Int
    /// Milliseconds since 1970.
    public let expiresAt: Int64
    /// `pending`, `approved`, `denied`, `expired` or `cancelled`.
    public let state: String
    let dataBytes: Int

    public init(
        id: String, tool: String, args: JSONValue, from: String, quorum: Int, agreed: Int = 0, expiresAt: Int64, state: String
    ) {
        self.id = id
        self.tool = tool
        self.args = args
        self.from = from
        self.quorum = quorum
        self.agreed = agreed
        self.expiresAt = expiresAt
        self.state = state
        dataBytes = args.jsonBytes.count
    }
}
