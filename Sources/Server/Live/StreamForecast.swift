internal import Accounting
internal import Engine

/// Which window stops a stream first. Pure.
///
/// A window is spent by all streams that hold of it, so their speeds are added up: those of this server by their windows, those of others, of
/// which it is known whose they are and how fast, by the scopes on their path. What streams hold is counted as theirs to spend.
struct StreamForecast: Sendable {
    private var speeds: [String: StreamRate] = [:]

    private var elsewhere: [String: StreamRate] = [:]

    /// Adds a stream of another server to each scope of its path.
    mutating func add(_ row: StreamRow) {
        guard let path = try? TenancyPath(org: row.org, project: row.project, user: row.user, key: row.key) else { return }
        for scope in path.scopes.map(\.text) { elsewhere[scope] = (elsewhere[scope] ?? StreamRate()) + row.rate }
    }

    /// Adds a stream's speed to each of its windows.
    mutating func add(_ windows: [WindowReport], _ rate: StreamRate) {
        for window in windows { speeds[Self.name(window), default: StreamRate()] = (speeds[Self.name(window)] ?? StreamRate()) + rate }
    }

    func stop(among windows: [WindowReport], now: Int64) -> StreamStop? {
        var first: (stop: StreamStop, share: Double)?
        for window in windows {
            guard let (stop, share) = judge(window, now) else { continue }
            guard let known = first else {
                first = (stop, share)
                continue
            }
            switch (stop.seconds, known.stop.seconds) {
            case (let mine?, let other?): if mine < other { first = (stop, share) }
            case (_?, nil): first = (stop, share)
            case (nil, _?): break
            case (nil, nil): if share > known.share { first = (stop, share) }
            }
        }
        return first?.stop
    }

    /// Nil for a window that no live stream can use up.
    private func judge(_ window: WindowReport, _ now: Int64) -> (StreamStop, Double)? {
        guard let unit = MeterUnit(rawValue: window.unit), let limit = try? unit.amount(window.limit),
            let used = Self.amount(window.used, unit), let held = Self.amount(window.held, unit),
            let suspense = Self.amount(window.suspense, unit)
        else { return nil }
        let speed = (speeds[Self.name(window)] ?? StreamRate()) + (elsewhere[window.scope] ?? StreamRate())
        // In a minute.
        let spending: Int64
        switch unit {
        case .usd: spending = speed.cost
        case .tokens, .outputTokens: spending = speed.tokens * 6
        case .inputTokens, .requests, .runs, .calls: return nil
        }
        let left = max(0, limit - used - suspense)
        var seconds: Int64?
        if spending > 0 {
            let (minutes, rest) = left.quotientAndRemainder(dividingBy: spending)
            // Beyond some years there is no forecast, and nothing overflows.
            if minutes < 10_000_000 { seconds = minutes * 60 + Int64(Double(rest) * 60 / Double(spending)) }
        }
        if let found = seconds, let reset = window.resetsAt, now + found * 1_000 >= reset { seconds = nil }
        let share = limit > 0 ? Double(used + held + suspense) / Double(limit) : 1
        return (
            StreamStop(
                scope: window.scope, unit: unit, window: window.window, zone: window.zone, limit: limit, used: used, held: held,
                resetsAt: window.resetsAt, seconds: seconds), share
        )
    }

    /// Unlike a limit, what is used may be more than any limit can be, or less than nothing after a correction.
    private static func amount(_ text: String, _ unit: MeterUnit) -> Int64? {
        text.hasPrefix("-") ? 0 : (try? unit.amount(text)) ?? (unit == .usd ? nil : Int64(text))
    }

    private static func name(_ window: WindowReport) -> String {
        "\(window.scope) \(window.unit) \(window.window) \(window.zone ?? "") \(window.limit)"
    }
}
