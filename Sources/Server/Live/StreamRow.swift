internal import Accounting
internal import JSON

/// How fast a stream, or several together, go.
struct StreamRate: Sendable, Hashable {
    /// Output tokens in ten seconds.
    var tokens: Int64 = 0
    /// nano-USD in a minute.
    var cost: Int64 = 0

    static func + (left: StreamRate, right: StreamRate) -> StreamRate {
        StreamRate(tokens: left.tokens + right.tokens, cost: left.cost + right.cost)
    }

    /// A number with one decimal.
    var tokensPerSecond: JSONValue { .number("\(tokens / 10).\(tokens % 10)") }
    var costPerMinute: JSONValue { .string(NanoUSD(cost).decimalText) }
}

/// The window that will stop a stream first if all of its server's streams go on as fast as they do.
struct StreamStop: Sendable, Hashable {
    let scope: String
    let unit: MeterUnit
    let window: String
    let zone: String?
    /// In the unit's base.
    let limit: Int64
    let used: Int64
    let held: Int64
    let resetsAt: Int64?
    /// Nil when it begins anew before it is spent, or when nothing is being spent.
    let seconds: Int64?

    var json: JSONValue {
        var object = JSONObject([
            ("scope", .string(scope)), ("unit", .string(unit.rawValue)), ("window", .string(window)), ("limit", unit.json(limit)),
            ("used", unit.json(used)), ("held", unit.json(held)), ("resets_at", resetsAt.map { .integer($0) } ?? .null),
            ("seconds", seconds.map { .integer($0) } ?? .null),
        ])
        if let zone { object["zone"] = .string(zone) }
        return .object(object)
    }

    init(
        scope: String, unit: MeterUnit, window: String, zone: String?, limit: Int64, used: Int64, held: Int64, resetsAt: Int64?,
        seconds: Int64?
    ) {
        self.scope = scope
        self.unit = unit
        self.window = window
        self.zone = zone
        self.limit = limit
        self.used = used
        self.held = held
        self.resetsAt = resetsAt
        self.seconds = seconds
    }

    init?(_ json: JSONValue) {
        guard let scope = json["scope"]?.stringValue, let unit = json["unit"]?.stringValue.flatMap(MeterUnit.init(rawValue:)),
            let window = json["window"]?.stringValue
        else { return nil }
        func amount(_ name: String) -> Int64? {
            guard let value = json[name] else { return nil }
            return value.stringValue.flatMap { try? unit.amount($0) } ?? value.integerValue
        }
        guard let limit = amount("limit"), let used = amount("used"), let held = amount("held") else { return nil }
        self.init(
            scope: scope, unit: unit, window: window, zone: json["zone"]?.stringValue, limit: limit, used: used, held: held,
            resetsAt: json["resets_at"]?.integerValue, seconds: json["seconds"]?.integerValue)
    }
}

/// One live run of one of the servers, as `/api/admin/streams`, consoles and `kdcube top` show it.
struct StreamRow: Sendable, Hashable {
    let run: String
    let org: OrgID
    let project: String
    let user: String?
    let key: String?
    let model: String
    let conversation: String
    /// The state of the run's machine, by name.
    let phase: String
    /// `model`, `tool` or `approval`; nil while it streams.
    let waiting: String?
    let tool: String?
    /// Milliseconds since 1970.
    let startedAt: Int64
    let deliveredTokens: Int64
    let inputTokens: Int64
    let outputTokens: Int64
    let cost: NanoUSD
    let rate: StreamRate
    let stops: StreamStop?
    let node: String

    var json: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        return [
            "run_id": .string(run), "org": .string(org.text), "project": .string(project), "user": text(user), "key": text(key),
            "model": .string(model), "conversation_id": .string(conversation), "state": "running", "phase": .string(phase),
            "waiting": text(waiting), "tool": text(tool), "started_at": .integer(startedAt), "input_tokens": .integer(inputTokens),
            "output_tokens": .integer(outputTokens), "delivered_tokens": .integer(deliveredTokens),
            "usage": ["input_tokens": .integer(inputTokens), "output_tokens": .integer(outputTokens)],
            "cost_usd": .string(cost.decimalText), "tokens_per_second": rate.tokensPerSecond, "cost_per_minute_usd": rate.costPerMinute,
            "stops": stops?.json ?? .null, "node": .string(node),
        ]
    }

    /// Nil for what is no row of ours.
    init?(_ json: JSONValue) {
        guard let run = json["run_id"]?.stringValue, let org = json["org"]?.stringValue.flatMap({ try? OrgID($0) }),
            let project = json["project"]?.stringValue,
            let node = json["node"]?.stringValue, let model = json["model"]?.stringValue,
            let startedAt = json["started_at"]?.integerValue,
            let cost = json["cost_usd"]?.stringValue.flatMap({ try? NanoUSD(decimal: $0) }),
            let speed = json["tokens_per_second"]?.numberText,
            let spending = json["cost_per_minute_usd"]?.stringValue.flatMap({ try? NanoUSD(decimal: $0) })
        else { return nil }
        self.init(
            run: run, org: org, project: project, user: json["user"]?.stringValue, key: json["key"]?.stringValue, model: model,
            conversation: json["conversation_id"]?.stringValue ?? "", phase: json["phase"]?.stringValue ?? "streaming",
            waiting: json["waiting"]?.stringValue, tool: json["tool"]?.stringValue, startedAt: startedAt,
            deliveredTokens: json["delivered_tokens"]?.integerValue ?? 0, inputTokens: json["input_tokens"]?.integerValue ?? 0,
            outputTokens: json["output_tokens"]?.integerValue ?? 0, cost: cost,
            rate: StreamRate(tokens: Self.tenths(speed), cost: spending.rawValue), stops: json["stops"].flatMap(StreamStop.init),
            node: node)
    }

    /// `12.5` as 125.
    private static func tenths(_ text: String) -> Int64 {
        let parts = text.split(separator: ".", maxSplits: 1)
        let whole = parts.first.flatMap { Int64($0) } ?? 0
        let tenth = parts.count > 1 ? parts[1].first.flatMap { Int64(String($0)) } ?? 0 : 0
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: 10)
        return overflow ? 0 : scaled + tenth
    }

    init(
        run: String, org: OrgID, project: String, user: String?, key: String?, model: String, conversation: String, phase: String,
        waiting: String?, tool: String?, startedAt: Int64, deliveredTokens: Int64, inputTokens: Int64, outputTokens: Int64,
        cost: NanoUSD, rate: StreamRate, stops: StreamStop?, node: String
    ) {
        self.run = run
        self.org = org
        self.project = project
        self.user = user
        self.key = key
        self.model = model
        self.conversation = conversation
        self.phase = phase
        self.waiting = waiting
        self.tool = tool
        self.startedAt = startedAt
        self.deliveredTokens = deliveredTokens
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.cost = cost
        self.rate = rate
        self.stops = stops
        self.node = node
    }
}
