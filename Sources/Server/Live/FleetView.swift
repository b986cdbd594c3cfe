internal import Accounting
internal import JSON

/// Which organisations somebody looks at.
enum OrgChoice: Sendable, Hashable {
    case one(OrgID)
    /// An operator's.
    case all

    /// As a console and `?org=` name it.
    static let allName = "*"

    /// Nil for a text that names none.
    init?(_ text: String) {
        guard text != Self.allName else {
            self = .all
            return
        }
        guard let org = try? OrgID(text) else { return nil }
        self = .one(org)
    }

    var name: String {
        switch self {
        case .one(let org): org.text
        case .all: Self.allName
        }
    }

    /// The room of the consoles that look at them. That of all is no organisation's, whatever it is called.
    var room: String {
        switch self {
        case .one(let org): "org:\(org)"
        case .all: "all"
        }
    }

    func contains(_ org: OrgID) -> Bool {
        switch self {
        case .one(let one): one == org
        case .all: true
        }
    }
}

/// What all servers of a store said last. Pure; every row is chosen by its organisation before it leaves.
struct FleetView: Sendable {
    /// Of the servers that are there, this one's among them.
    let reports: [ServerReport]
    /// What all of them have counted, those that ended within the hour too.
    let minutes: MinuteBook
    /// False when the store did not say what other servers do.
    let isWhole: Bool

    func streams(_ choice: OrgChoice) -> [StreamRow] {
        // A run is on one server; should two speak of it, the newest word counts.
        var rows: [String: StreamRow] = [:]
        for report in reports.sorted(by: { $0.at < $1.at }) {
            for row in report.streams where choice.contains(row.org) { rows[row.run] = row }
        }
        return rows.values.sorted { $0.run < $1.run }
    }

    func totals(_ choice: OrgChoice) -> OrgTotals {
        reports.reduce(OrgTotals()) { sum, report in
            guard case .one(let org) = choice else { return report.totals.values.reduce(sum) { $0 + $1 } }
            if let total = report.totals[org] { return sum + total }
            // Among more organisations than are named, its rows say what it has.
            return report.streams.reduce(sum) { $1.org == org ? $0 + OrgTotals(runs: 1, rate: $1.rate) : $0 }
        }
    }

    /// What is not as it should be at any server, said once.
    var problems: [String] {
        var problems: [String] = []
        for report in reports {
            for problem in report.problems where !problems.contains(problem) { problems.append(problem) }
        }
        if !isWhole { problems.append("other servers cannot be seen") }
        return problems
    }

    /// - Parameters:
    ///   - approvals: how many wait for people.
    ///   - problems: what the caller may be told.
    func now(_ choice: OrgChoice, approvals: Int, at now: Int64) -> JSONValue {
        let totals = totals(choice)
        let org: OrgID? = if case .one(let one) = choice { one } else { nil }
        let line = minutes.line(org, now: now)
        let sum = line.reduce(MinuteBook.Minute()) { $0 + $1 }
        let problems = problems
        func numbers(_ path: KeyPath<MinuteBook.Minute, Int64>) -> JSONValue { .array(line.map { .integer($0[keyPath: path]) }) }
        return [
            "at": .integer(now), "runs": .integer(totals.runs), "tokens_per_second": totals.rate.tokensPerSecond,
            "cost_per_minute_usd": totals.rate.costPerMinute, "cuts_last_hour": .integer(sum.cuts),
            "decisions_last_hour": ["allow": .integer(sum.allowed), "deny": .integer(sum.denied)],
            "approvals_waiting": .integer(Int64(approvals)), "health": problems.isEmpty ? "ok" : "degraded",
            "problems": .array(problems.map { .string($0) }),
            "lines": [
                "runs": numbers(\.runs), "tokens": numbers(\.tokens),
                "cost_usd": .array(line.map { .string(NanoUSD($0.cost).decimalText) }), "cuts": numbers(\.cuts),
            ],
        ]
    }
}

/// What has changed between two looks at streams. Pure.
struct StreamDiff: Sendable {
    private(set) var rows: [String: StreamRow] = [:]

    /// - Returns: rows that are new or have changed, and the runs that are no more.
    mutating func take(_ now: [StreamRow]) -> (data: [StreamRow], gone: [String]) {
        let new = Dictionary(now.map { ($0.run, $0) }, uniquingKeysWith: { _, last in last })
        let data = now.filter { rows[$0.run] != $0 }
        let gone = rows.keys.filter { new[$0] == nil }.sorted()
        rows = new
        return (data, gone)
    }
}
