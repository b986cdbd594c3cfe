/// Names one window: the window id is part of it, so a window starts again without a reset job.
public struct WindowKey: Sendable, Hashable {
    public let scope: Scope
    /// What alone is counted: a model or a tool (``ToolName/subject``); nil for all.
    public let model: String?
    public let unit: MeterUnit
    public let period: Period
    /// ``WindowSpan/id``.
    public let window: String

    /// The name of the zone whose calendar it follows; nil for UTC.
    public var zone: String? { window.firstIndex(of: "@").map { String(window[window.index(after: $0)...]) } }

    /// The tool whose calls are counted, if it is one's window.
    public var tool: ToolName? { model.flatMap { ToolName(subject: $0) } }

    /// ``model`` unless it is a tool.
    public var modelName: String? { tool == nil ? model : nil }

    public init(scope: Scope, model: String? = nil, unit: MeterUnit, period: Period, window: String) {
        self.scope = scope
        self.model = model
        self.unit = unit
        self.period = period
        self.window = window
    }

    /// `project:acme/web:usd:day:2026-11-23`, or `project:acme/web//gpt-4o:usd:day:2026-11-23` for one model, and
    /// `project:acme/web//tool:payments.refund:calls:day:2026-11-23` for one tool: read from the right,
    /// because names may hold colons, and window ids hold none. No scope holds two slashes in a row, so the first two begin the model.
    public var text: String {
        "\(scope.text)\(model.map { "//\($0)" } ?? ""):\(unit.rawValue):\(period.rawValue):\(window)"
    }

    /// The inverse of ``text``; nil for other text.
    public init?(_ text: String) {
        var rest = Substring(text)
        var parts: [String] = []
        for _ in 0..<3 {
            guard let colon = rest.lastIndex(of: ":") else { return nil }
            parts.append(String(rest[rest.index(after: colon)...]))
            rest = rest[..<colon]
        }
        var mark = rest.endIndex
        var model: String?
        if let slashes = zip(rest.indices, rest.indices.dropFirst()).first(where: { rest[$0] == "/" && rest[$1] == "/" }) {
            mark = slashes.0
            model = String(rest[rest.index(after: slashes.1)...])
        }
        guard model != "", let unit = MeterUnit(rawValue: parts[2]), let period = Period(rawValue: parts[1]), !parts[0].isEmpty,
            let scope = try? Scope(String(rest[..<mark]))
        else { return nil }
        self.init(scope: scope, model: model, unit: unit, period: period, window: parts[0])
    }
}

/// A window as a node sees it when it asks for a grant. The store checks the span against its own clock.
public struct WindowRef: Sendable, Hashable {
    public let key: WindowKey
    /// In the unit's base.
    public let cap: Int64
    /// Grows with every change of the budget; the store keeps the cap of the highest.
    public let version: Int64
    /// Grows when the budget is made anew after a removal; then the store's count is stale and must be loaded again.
    public let generation: Int64
    public let start: Milliseconds
    public let end: Milliseconds

    public init(key: WindowKey, cap: Int64, version: Int64, generation: Int64, start: Milliseconds, end: Milliseconds) {
        self.key = key
        self.cap = cap
        self.version = version
        self.generation = generation
        self.start = start
        self.end = end
    }
}

/// A window as a reply shows it.
public struct WindowSnapshot: Sendable, Hashable {
    public let key: WindowKey
    public let cap: Int64
    public let used: Int64
    public let held: Int64
    /// What nobody answers for at present, and counts as spent until there is evidence.
    public let suspense: Int64
    public let end: Milliseconds
    /// How much of the cap the durable root has released to the counters.
    public let released: Int64
    /// Released before the counters lost their data, and not accounted for yet: nothing of it is granted.
    public let unaccounted: Int64
    /// Of the last word of the durable root that the counters have obeyed (``Release/turn``).
    public let turn: Int64
    /// Until then (store time) the durable root need not be asked for more ahead of need: it had nothing.
    public let dryUntil: Milliseconds
    /// Until then (store time) nothing is left of it in any slot of the org: a refusal is final, whatever these counters by themselves have.
    public let shutUntil: Milliseconds

    public init(
        key: WindowKey, cap: Int64, used: Int64, held: Int64, suspense: Int64, end: Milliseconds,
        released: Int64 = AccountingLimits.amountMax, unaccounted: Int64 = 0, turn: Int64 = 0,
        dryUntil: Milliseconds = Milliseconds(0), shutUntil: Milliseconds = Milliseconds(0)
    ) {
        self.key = key
        self.cap = cap
        self.used = used
        self.held = held
        self.suspense = suspense
        self.end = end
        self.released = released
        self.unaccounted = unaccounted
        self.turn = turn
        self.dryUntil = dryUntil
        self.shutUntil = shutUntil
    }

    /// True when a refusal says nothing about the budget: some of it is with the durable root yet, or waits to be accounted for.
    package var isHeldBack: Bool { headroom > 0 && (released < cap || unaccounted > 0) }

    /// Used, held, in suspense or unaccounted for.
    package var taken: Int64 { used + held + suspense + unaccounted }

    /// What the cap leaves; negative when it was lowered or overrun.
    public var headroom: Int64 { cap - used - held - suspense }

    /// When the window starts again; nil for ``Period/total``.
    public var resetsAt: Milliseconds? { key.period == .total ? nil : end }
}
