internal import Accounting
internal import JSON

/// `GET /api/admin/usage`: what was spent, by whom or for what, step by step. Pure.
struct SpendReport: Sendable {
    /// A row of the table: one name with all its steps.
    struct Row: Sendable {
        /// Nil: all that cost less than the first ``StoreLimits/spendNames``.
        let name: String?
        var sum: LedgerSum
    }

    let query: SpendQuery
    /// Dearest first; what has no name of its own last.
    let rows: [Row]
    let totals: LedgerSum
    /// Every step of the span, also those in which nothing was spent.
    let series: [(at: Milliseconds, values: [(name: String?, nano: Int64)])]

    init(_ query: SpendQuery, _ cells: [SpendCell], totals: LedgerSum) {
        self.query = query
        self.totals = totals
        var sums: [String?: LedgerSum] = [:]
        var steps: [Milliseconds: [(name: String?, nano: Int64)]] = [:]
        for cell in cells {
            sums[cell.name, default: LedgerSum()].add(cell.sum)
            steps[cell.at, default: []].append((cell.name, cell.sum.nanoUSD))
        }
        rows = sums.map { Row(name: $0.key, sum: $0.value) }.sorted { left, right in
            guard let first = left.name, let second = right.name else { return left.name != nil }
            return left.sum.nanoUSD == right.sum.nanoUSD ? first < second : left.sum.nanoUSD > right.sum.nanoUSD
        }
        let length = query.step.length.rawValue
        series = stride(from: query.from.rawValue / length * length, to: query.to.rawValue, by: Int(length)).map {
            (Milliseconds($0), steps[Milliseconds($0)] ?? [])
        }
    }

    /// How a name is shown: below the scope that was asked for, so `web/ann` of an organisation and `ann` of a project.
    func shown(_ name: String) -> String {
        switch query.by {
        case .project, .user:
            let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            let known = query.scope.map { [Scope.Kind.org: 1, .project: 2, .user: 2][$0.kind] ?? 0 } ?? 0
            var rest = Array(parts.dropFirst(min(known, parts.count - 1)))
            if query.by == .user, rest.last == "" { rest[rest.count - 1] = Self.noUser }
            return rest.joined(separator: "/")
        case .key: return name.isEmpty ? Self.noKey : name
        case .org, .model, .tool: return name
        }
    }

    /// The row's scope, where it has one.
    func scope(_ name: String) -> Scope? {
        switch query.by {
        case .org: try? Scope("org:\(name)")
        case .project: try? Scope("project:\(name)")
        case .user: try? Scope("user:\(name)")
        case .key: try? Scope("key:\(name)")
        case .model, .tool: nil
        }
    }

    /// No name holds a blank.
    static let (noUser, noKey) = ("no user", "no key")

    // MARK: Showing

    func json(windows: [JSONObject], forecast: JSONValue) -> JSONValue {
        [
            "scope": query.scope.map { .string($0.text) } ?? .null, "from": .integer(query.from.rawValue),
            "to": .integer(query.to.rawValue),
            "by": .string(query.by.rawValue), "step": .string(query.step.rawValue), "windows": .array(windows.map { .object($0) }),
            "totals": totals.json, "rows": .array(rows.map(json)),
            "series": .array(
                series.map { step in
                    // The rest has no name; no name is empty.
                    let values = step.values.map { ($0.name.map(shown) ?? "", JSONValue.string(NanoUSD($0.nano).decimalText)) }
                    return ["at": .integer(step.at.rawValue), "values": .object(JSONObject(values))]
                }),
            "forecast": forecast,
        ]
    }

    private func json(_ row: Row) -> JSONValue {
        var object = JSONObject([(query.by.rawValue, row.name.map { .string(shown($0)) } ?? .null)])
        for member in row.sum.json.objectValue?.members ?? [] { object[member.key] = member.value }
        object["scope"] = row.name.flatMap(scope).map { .string($0.text) } ?? .null
        return .object(object)
    }

    /// A row for each name and step.
    var csv: String {
        var text = CSV.line(["at", query.by.rawValue, "cost_usd"].map { .text($0) })
        for step in series {
            for value in step.values {
                text += CSV.line([
                    .text(step.at.rfc3339), .text(value.name.map(shown) ?? ""), .number(NanoUSD(value.nano).decimalText),
                ])
            }
        }
        return text
    }
}

extension LedgerSum {
    mutating func add(_ other: LedgerSum) {
        nanoUSD += other.nanoUSD
        usage = usage + other.usage
        requests += other.requests
        calls += other.calls
    }

    var json: JSONValue {
        [
            "input_tokens": .integer(usage.input), "output_tokens": .integer(usage.output), "requests": .integer(requests),
            "calls": .integer(calls), "cost_usd": .string(NanoUSD(nanoUSD).decimalText),
        ]
    }
}
