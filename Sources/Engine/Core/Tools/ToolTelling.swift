internal import JSON

/// What a tool call tells while it is made, on its way into the run's log: joined, and bounded. Pure; ``ToolTeller`` guards it.
///
/// Code may write a byte at a time or without end; the log must keep what the model says. Text is joined for
/// ``EngineLimits/toolProgressInterval``. What the steps occupy is counted for the call and for the run; at the first that does
/// not fit a step says so, and nothing of that kind follows.
struct ToolTelling: Sendable {
    enum Output: Sendable, Hashable {
        case append(RunEventBody)
        /// So many more approvals are waited for, or fewer.
        case approvals(Int)
    }

    /// A joined text is told at this length: a look into the log takes four of them.
    private static let textBytesMax = 4 << 10

    private let call: ToolCall
    private let limits: EngineLimits
    private var left: Int
    private var isTruncated = false
    private var joined: (stream: ToolNews.Stream, text: String)?
    /// When text was last told.
    private var toldAt: Int64?
    private var approvals: Set<String> = []
    private var approvalsTold = 0
    private(set) var isOver = false

    init(_ call: ToolCall, _ limits: EngineLimits) {
        self.call = call
        self.limits = limits
        left = limits.toolProgressBytesMax
    }

    /// When ``flush(now:runLeft:)`` is due; nil when nothing is held back.
    var flushDue: Int64? {
        guard joined != nil, let toldAt else { return nil }
        return toldAt + EngineLimits.toolProgressInterval.wholeNanoseconds
    }

    /// - Parameter runLeft: what the steps of all calls of the run may still occupy.
    mutating func take(_ news: ToolNews, now: Int64, runLeft: inout Int) -> [Output] {
        guard !isOver else { return [] }
        switch news {
        case .output(let stream, let text): return take(text, stream, now, &runLeft)
        case .progress(let members):
            return flush(now: now, runLeft: &runLeft) + tell(call.progress(members, bytesMax: limits.toolStepBytesMax), &runLeft)
        case .nested(let nested): return flush(now: now, runLeft: &runLeft) + tell(step(of: nested), &runLeft)
        case .approval(let approval): return flush(now: now, runLeft: &runLeft) + take(approval)
        }
    }

    /// Tells what was held back.
    mutating func flush(now: Int64, runLeft: inout Int) -> [Output] {
        guard let (stream, text) = joined else { return [] }
        joined = nil
        toldAt = now
        var outputs: [Output] = []
        var rest = text[...]
        while !rest.isEmpty, !isTruncated {
            let end = rest.boundary(bytesMax: Self.textBytesMax)
            let members = JSONObject([("stream", .string(stream.rawValue)), ("text", .string(String(rest[..<end])))])
            rest = rest[end...]
            outputs += tell(call.progress(members, bytesMax: limits.toolStepBytesMax), &runLeft)
        }
        return outputs
    }

    /// The call has ended: nothing follows.
    mutating func end(now: Int64, runLeft: inout Int) -> [Output] {
        guard !isOver else { return [] }
        var outputs = flush(now: now, runLeft: &runLeft)
        if !approvals.isEmpty { outputs.append(.approvals(-approvals.count)) }
        approvals = []
        isOver = true
        return outputs
    }

    private mutating func take(_ text: String, _ stream: ToolNews.Stream, _ now: Int64, _ runLeft: inout Int) -> [Output] {
        guard !text.isEmpty, !isTruncated else { return [] }
        var outputs: [Output] = []
        if let joined, joined.stream != stream { outputs = flush(now: now, runLeft: &runLeft) }
        let length = (joined?.text.utf8.count ?? 0) + text.utf8.count
        if joined == nil { joined = (stream, text) } else { joined?.text += text }
        let isDue = toldAt.map { now - $0 >= EngineLimits.toolProgressInterval.wholeNanoseconds } ?? true
        if isDue || length >= Self.textBytesMax { outputs += flush(now: now, runLeft: &runLeft) }
        return outputs
    }

    /// A person must be told of what waits for them, so approvals are counted by themselves.
    private mutating func take(_ approval: RunApproval) -> [Output] {
        guard approval.state == "pending" else {
            guard approvals.remove(approval.id) != nil else { return [] }
            return [.append(.approval(approval)), .approvals(-1)]
        }
        guard approvalsTold < EngineLimits.toolApprovalsPerCallMax else { return [] }
        approvalsTold += 1
        let isNew = approvals.insert(approval.id).inserted
        return isNew ? [.append(.approval(approval)), .approvals(1)] : [.append(.approval(approval))]
    }

    private func step(of nested: ToolNews.NestedCall) -> RunStep {
        var data = JSONObject([
            ("tool", .string(nested.name)), ("call_id", .string(nested.callID)), ("parent_call_id", .string(call.id)), ("server", true),
        ])
        data.add(nested.data)
        return RunStep(
            step: ToolCall.step, status: nested.status, title: nested.name, data: data.fitting(limits.toolStepBytesMax))
    }

    private mutating func tell(_ step: RunStep, _ runLeft: inout Int) -> [Output] {
        guard !isTruncated else { return [] }
        let body = RunEventBody.step(step)
        guard body.byteCount <= min(left, runLeft) else {
            isTruncated = true
            return [.append(.step(call.progress(JSONObject([("truncated", true)]), bytesMax: limits.toolStepBytesMax)))]
        }
        left -= body.byteCount
        runLeft -= body.byteCount
        return [.append(body)]
    }
}
