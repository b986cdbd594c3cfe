internal import Accounting
internal import Engine
internal import HTTPTypes

/// What is left, on every answer that starts a run: `x-ratelimit-*` as OpenAI's clients read them, and the budget.
///
/// Of several windows of one unit the tightest is told: the one of which least is left. Left is what nobody has used or
/// holds, so the caller's own run is counted already. Source: metering.md §3.1, §3.7.
enum BudgetHeaders {
    /// Headers that a page of another origin may read.
    static let exposed =
        "x-request-id, request-id, x-run-id, retry-after, x-should-retry, x-cost-usd, x-budget-limit-usd, x-budget-remaining-usd, x-budget-reset, "
        + "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
        + "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"

    static func fields(_ windows: [WindowReport], now: Milliseconds) -> HTTPFields {
        var fields: HTTPFields = [:]
        for unit in MeterUnit.allCases {
            let counted = windows.filter { $0.unit == unit.rawValue }.compactMap { window in
                Self.left(in: window, unit).map { (window: window, remaining: $0) }
            }
            guard let tightest = counted.min(by: { $0.remaining < $1.remaining }) else { continue }
            let remaining = unit.text(max(0, tightest.remaining))
            switch unit {
            case .usd:
                fields[.budgetLimit] = tightest.window.limit
                fields[.budgetRemaining] = remaining
                fields[.budgetReset] = tightest.window.resetsAt.map { Milliseconds($0).rfc3339 }
            case .requests:
                fields[.limitRequests] = tightest.window.limit
                fields[.remainingRequests] = remaining
                fields[.resetRequests] = reset(tightest.window, now)
            case .tokens:
                fields[.limitTokens] = tightest.window.limit
                fields[.remainingTokens] = remaining
                fields[.resetTokens] = reset(tightest.window, now)
            // OpenAI's clients know no header for these; `GET /v1/quota` shows them.
            case .inputTokens, .outputTokens, .runs, .calls: continue
            }
        }
        return fields
    }

    private static func left(in window: WindowReport, _ unit: MeterUnit) -> Int64? {
        guard let limit = try? unit.amount(window.limit), let used = try? unit.amount(window.used),
            let held = try? unit.amount(window.held),
            let suspense = try? unit.amount(window.suspense)
        else { return nil }
        return limit - used - held - suspense
    }

    private static func reset(_ window: WindowReport, _ now: Milliseconds) -> String? {
        window.resetsAt.map { DurationText.of(milliseconds: max(0, $0 - now.rawValue)) }
    }
}

/// A span as OpenAI writes it: `12ms`, `1s`, `6m0s`, `23h59m1s`.
enum DurationText {
    static func of(milliseconds: Int64) -> String {
        milliseconds < 1_000 ? "\(milliseconds)ms" : of(seconds: (milliseconds + 999) / 1_000)
    }

    static func of(seconds: Int64) -> String {
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60)
        if hours > 0 { return "\(hours)h\(minutes)m\(rest)s" }
        return minutes > 0 ? "\(minutes)m\(rest)s" : "\(rest)s"
    }
}

extension RunHandle {
    /// Of the run's first `chat.usage`, which stands in the log as soon as the run has begun.
    var budgetHeaders: HTTPFields {
        get async {
            for await batch in log.batches(after: 0) {
                for entry in batch {
                    if case .usage(let report) = entry.body { return BudgetHeaders.fields(report.windows, now: WallClock.now()) }
                }
                // A log that has lost its beginning, or a run that ended without one.
                if batch.contains(where: { $0.body.isAnswer || $0.body.outcome != nil }) { break }
            }
            return [:]
        }
    }
}

extension CutDescription {
    /// The budget headers of a money cap that refused; the others are ``rateLimitHeaders(resetsIn:)``.
    var budgetHeaders: HTTPFields {
        guard unit == MeterUnit.usd.rawValue, let limit, let used, let cap = try? NanoUSD(decimal: limit),
            let spent = try? NanoUSD(decimal: used)
        else { return [:] }
        var fields: HTTPFields = [:]
        fields[.budgetLimit] = limit
        fields[.budgetRemaining] = NanoUSD(max(0, cap.rawValue - spent.rawValue)).decimalText
        fields[.budgetReset] = resetsAt.map { Milliseconds($0).rfc3339 }
        return fields
    }
}

extension HTTPFields {
    mutating func append(contentsOf fields: HTTPFields) {
        for field in fields { self[field.name] = field.value }
    }
}

extension HTTPField.Name {
    static let costUSD = known("x-cost-usd")
    static let budgetLimit = known("x-budget-limit-usd")
    static let budgetRemaining = known("x-budget-remaining-usd")
    static let budgetReset = known("x-budget-reset")
    static let limitRequests = known("x-ratelimit-limit-requests")
    static let remainingRequests = known("x-ratelimit-remaining-requests")
    static let resetRequests = known("x-ratelimit-reset-requests")
    static let limitTokens = known("x-ratelimit-limit-tokens")
    static let remainingTokens = known("x-ratelimit-remaining-tokens")
    static let resetTokens = known("x-ratelimit-reset-tokens")
}
