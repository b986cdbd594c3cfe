internal import Accounting
internal import Engine

/// What the engine knows of a live run at one moment.
struct StreamSample: Sendable {
    let run: String
    let tenant: Tenant
    let model: String
    let conversation: String
    let state: RunStateMachine.State
    let tool: String?
    let startedAt: Int64
    let deliveredTokens: Int64
    let inputTokens: Int64
    let outputTokens: Int64
    let cost: NanoUSD
    let windows: [WindowReport]

    init(
        run: String, tenant: Tenant, model: String, conversation: String = "", state: RunStateMachine.State = .streaming,
        tool: String? = nil, startedAt: Int64, inputTokens: Int64 = 0, outputTokens: Int64, cost: NanoUSD,
        deliveredTokens: Int64? = nil, windows: [WindowReport] = []
    ) {
        self.run = run
        self.tenant = tenant
        self.model = model
        self.conversation = conversation
        self.state = state
        self.tool = tool
        self.startedAt = startedAt
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.deliveredTokens = deliveredTokens ?? outputTokens
        self.cost = cost
        self.windows = windows
    }

    init(_ live: LiveRun) {
        self.init(
            run: live.handle.identity.run.text, tenant: live.handle.tenant, model: live.handle.model,
            conversation: live.handle.identity.conversation.text, state: live.state, tool: live.tool, startedAt: live.handle.startedAt,
            inputTokens: Int64(live.report.inputTokens), outputTokens: Int64(live.report.outputTokens),
            cost: (try? NanoUSD(decimal: live.report.costUSD)) ?? .zero, deliveredTokens: Int64(live.deliveredTokens),
            windows: live.report.windows)
    }

    var isEnded: Bool {
        guard case .ended = state else { return false }
        return true
    }

    /// - Parameter silent: since when nothing has come (ms); nil while something comes.
    func waiting(silent: Bool) -> String? {
        switch state {
        case .admitted, .retrying, .waiting(.lease): "model"
        case .streaming: silent ? "model" : nil
        case .waiting(.tool): "tool"
        case .waiting(.approval): "approval"
        case .waiting(.grant), .stopping, .settling, .ended: nil
        }
    }
}

extension RunStateMachine.State {
    /// One word.
    var name: String {
        switch self {
        case .admitted: "admitted"
        case .streaming: "streaming"
        case .waiting: "waiting"
        case .retrying: "retrying"
        case .stopping: "stopping"
        case .settling: "settling"
        case .ended: "ended"
        }
    }
}

/// A stream's speed from what it had at successive moments. A value.
struct RateMeter: Sendable, Hashable {
    private struct Point: Sendable, Hashable {
        let at: Int64
        let tokens: Int64
        let cost: Int64
        /// Since when the cost is known.
        let costAt: Int64
    }

    /// Oldest first, some second apart.
    private var points: [Point]
    private(set) var lastTokens: Int64 = 0
    private(set) var lastTokenAt: Int64

    /// - Parameters:
    ///   - startedAt: when it had no tokens yet (ms).
    ///   - seenAt: when it is first seen.
    ///   - cost: what it has cost by then: what the prompt cost is no speed.
    init(startedAt: Int64, seenAt: Int64, cost: Int64) {
        points = [Point(at: startedAt, tokens: 0, cost: cost, costAt: seenAt)]
        lastTokenAt = startedAt
    }

    /// What it has at `now` (ms); a clock that was put back begins anew.
    mutating func note(tokens: Int64, cost: Int64, now: Int64) -> StreamRate {
        if tokens > lastTokens { lastTokenAt = now }
        lastTokens = tokens
        let point = Point(at: now, tokens: tokens, cost: cost, costAt: now)
        if let last = points.last, last.at > now { points = [point] }
        while points.count > 1, now - points[1].at >= LiveLimits.rateSpan { points.removeFirst() }
        let first = points[0]
        if let last = points.last, now - last.at >= 900 { points.append(point) }
        // A speed over less than half a second is noise.
        let (span, costSpan) = (max(now - first.at, 500), max(now - first.costAt, 500))
        return StreamRate(tokens: max(0, tokens - first.tokens) * 10_000 / span, cost: max(0, cost - first.cost) * 60_000 / costSpan)
    }

    func isSilent(now: Int64) -> Bool { now - lastTokenAt >= LiveLimits.silence }
}
