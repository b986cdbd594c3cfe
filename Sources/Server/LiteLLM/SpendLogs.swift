internal import Accounting
internal import HTTPTypes
internal import JSON

/// What a request of `/spend/logs` asks for, in LiteLLM's words. All that is given must hold.
struct SpendLogQuery: Sendable {
    /// The span without dates: as much as an invoice covers.
    static let spanStandard = Milliseconds(30 * 86_400_000)
    /// The longest span in one request: a year. It is summed from rows, not from kept sums.
    static let spanMax = Milliseconds(366 * 86_400_000)
    static let parameters: Set<String> = [
        "api_key", "user_id", "request_id", "start_date", "end_date", "summarize", "limit", "cursor", "bearer_token", "tenant", "project",
    ]

    /// Its scope is the caller's to set.
    var ledger: LedgerQuery
    /// A key's id or secret.
    let key: String?
    /// Sums of days in place of single runs.
    let isSummary: Bool
    let limit: Int
    let cursor: Int64?

    /// - Parameter parameters: those of the URI, the first of each name.
    init(_ parameters: [String: String], now: Milliseconds) throws(HTTPFailure) {
        for name in parameters.keys.sorted() where !Self.parameters.contains(name) {
            throw HTTPFailure(
                .badRequest, code: "unsupported_parameter",
                message: "This server does not support \(String(name.prefix(64))) here, and does not ignore it.",
                param: String(name.prefix(64)))
        }
        // What a client sends as empty asks for nothing.
        func text(_ name: String) -> String? { parameters[name].flatMap { $0.isEmpty ? nil : $0 } }
        key = text("api_key")
        let run = text("request_id").map(Self.run(ofRequest:))
        let dates = try Self.dates(text("start_date"), text("end_date"))
        ledger = LedgerQuery(run: run, user: text("user_id"), from: dates.from, to: dates.to)
        switch text("summarize")?.lowercased() {
        // As LiteLLM: two dates ask for sums unless it is said otherwise.
        case nil: isSummary = dates.from != nil && dates.to != nil
        case "true", "1": isSummary = true
        case "false", "0": isSummary = false
        default: throw .badRequest("summarize must be true or false.", param: "summarize")
        }
        guard let limit = Int(text("limit") ?? "\(StoreLimits.page)"), (1...StoreLimits.page).contains(limit) else {
            throw .badRequest("limit must be from 1 to \(StoreLimits.page).", param: "limit")
        }
        self.limit = limit
        cursor = text("cursor").flatMap(Int64.init)
        guard text("cursor") == nil || cursor != nil else { throw .badRequest("cursor is none of ours.", param: "cursor") }
        try bound(now: now)
    }

    /// An answer's id has its run's name behind the prefix of its dialect.
    private static func run(ofRequest id: String) -> String {
        for prefix in ["chatcmpl-", "resp_", "msg_"] where id.hasPrefix(prefix) { return "run_" + id.dropFirst(prefix.count) }
        return id
    }

    private static func dates(_ start: String?, _ end: String?) throws(HTTPFailure) -> (from: Milliseconds?, to: Milliseconds?) {
        do throws(LedgerSelection.Failure) {
            let query = try LedgerSelection(scope: nil, run: nil, from: start, to: end).query
            return (query.from, query.to)
        } catch {
            let field = error.field == "from" ? "start_date" : "end_date"
            throw .badRequest("\(field) \(error.rule).", param: field)
        }
    }

    /// One run is found by its index; anything else needs a span.
    private mutating func bound(now: Milliseconds) throws(HTTPFailure) {
        guard ledger.run == nil || isSummary else { return }
        let to = ledger.to ?? max(now, ledger.from ?? now) + Milliseconds(1)
        let from = ledger.from ?? to - Self.spanStandard
        guard from <= to, to - from <= Self.spanMax else {
            throw .badRequest("start_date must not be after end_date, nor more than 366 days before it.", param: "start_date")
        }
        ledger.from = from
        ledger.to = to
    }
}

/// LiteLLM's `SpendLogs`, made of the ledger's charges.
enum SpendLog {
    /// A run, or each model's part of one that fell back on another.
    static func row(_ charges: RunCharges) -> JSONValue {
        let (path, usage) = (charges.attribution.path, charges.sum.usage)
        return [
            "request_id": .string(charges.attribution.run), "call_type": "completion", "api_key": .string(path.key ?? ""),
            "spend": .number(NanoUSD(charges.sum.nanoUSD).decimalText), "total_tokens": .integer(usage.total),
            "prompt_tokens": .integer(usage.input), "completion_tokens": .integer(usage.output),
            "startTime": .string(charges.first.rfc3339Milliseconds), "endTime": .string(charges.last.rfc3339Milliseconds),
            "model": .string(charges.attribution.model), "user": .string(path.user ?? ""), "team_id": .string(path.project),
            "organization_id": .string(path.org.text), "cache_hit": "False", "request_tags": [],
            "metadata": [
                "estimated": .bool(charges.estimated), "cache_read_input_tokens": .integer(usage.inputCacheRead),
                "cache_creation_input_tokens": .integer(usage.inputCacheWrite), "reasoning_tokens": .integer(usage.outputReasoning),
            ],
        ]
    }

    /// One object a day, from the first day of the span to its end, also where nothing was spent: `spend`, `users`, `models`, and
    /// each key's part under its id.
    static func summary(_ charges: [DayCharges], from: Milliseconds, to: Milliseconds) -> JSONValue {
        let byDay = Dictionary(grouping: charges, by: \.day)
        var days: [JSONValue] = []
        var day = WindowSpan(.day, containing: from)
        while day.start <= to {
            days.append(self.day(byDay[day.start] ?? [], id: day.id))
            day = WindowSpan(.day, containing: day.end)
        }
        return .array(days)
    }

    private static func day(_ charges: [DayCharges], id: String) -> JSONValue {
        func sums(_ name: (DayCharges) -> String) -> [(String, JSONValue)] {
            Dictionary(grouping: charges, by: name).sorted { $0.key < $1.key }.map { ($0.key, money($0.value)) }
        }
        var object = JSONObject([
            ("startTime", .string(id)), ("spend", money(charges)), ("users", .object(JSONObject(sums { $0.user ?? "" }))),
            ("models", .object(JSONObject(sums(\.model)))),
        ])
        for (key, spend) in sums({ $0.key ?? "" }) where object[key] == nil { object[key] = spend }
        return .object(object)
    }

    private static func money(_ charges: [DayCharges]) -> JSONValue {
        .number(NanoUSD(charges.reduce(0) { $0 + $1.nanoUSD }).decimalText)
    }
}
