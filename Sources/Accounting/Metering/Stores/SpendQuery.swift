/// By what a report of spend is divided.
public enum SpendDimension: String, Sendable, Hashable, CaseIterable { case org, project, user, key, model, tool }

/// What a report of spend adds up: the charges of a scope and a span, by a dimension and by steps of time.
public struct SpendQuery: Sendable, Hashable {
    public enum Step: String, Sendable, Hashable, CaseIterable {
        case hour, day

        public var length: Milliseconds { Milliseconds(self == .hour ? 3_600_000 : 86_400_000) }
    }

    /// Nil: every organisation.
    public let scope: Scope?
    /// Accounting time, inclusive.
    public let from: Milliseconds
    /// Exclusive.
    public let to: Milliseconds
    public let by: SpendDimension
    /// Steps begin at full hours or days of UTC.
    public let step: Step

    /// - Returns: nil for a span that is empty or has more than ``StoreLimits/spendSteps`` steps.
    public init?(scope: Scope?, from: Milliseconds, to: Milliseconds, by: SpendDimension, step: Step) {
        guard from < to, from.rawValue >= 0, to <= WindowSpan.never,
            (to - from).rawValue / step.length.rawValue <= Int64(StoreLimits.spendSteps)
        else { return nil }
        self.scope = scope
        self.from = from
        self.to = to
        self.by = by
        self.step = step
    }
}

/// What one name was charged in one step of a report.
public struct SpendCell: Sendable, Hashable {
    /// `org`, `org/project`, `org/project/user` (with an empty user for charges of none), the key's id (empty for charges of none), the
    /// model, or the tool; nil for all that cost less than the first ``StoreLimits/spendNames``.
    public let name: String?
    /// When the step begins; not before the span, should it begin within a step.
    public let at: Milliseconds
    public let sum: LedgerSum

    public init(name: String?, at: Milliseconds, sum: LedgerSum) {
        self.name = name
        self.at = at
        self.sum = sum
    }
}

/// The statement of every back end.
package enum SpendStatement {
    /// Rows of name, beginning of the step, and the eight sums in the order of ``LedgerSum``; the oldest step first.
    ///
    /// - Parameters:
    ///   - step: what stands for the step's length.
    ///   - condition: which charges.
    package static func sql(_ by: SpendDimension, step: String, user: String, key: String, where condition: String) -> String {
        let mark = ToolName.mark
        let isTool = "substr(model, 1, \(mark.count)) = '\(mark)'"
        let (name, more) =
            switch by {
            case .org: ("org", "")
            case .project: ("org || '/' || project", "")
            case .user: ("org || '/' || project || '/' || coalesce(\(user), '')", "")
            case .key: ("coalesce(\(key), '')", "")
            case .model: ("model", " AND NOT (\(isTool))")
            case .tool: ("substr(model, \(mark.count + 1))", " AND \(isTool)")
            }
        let amounts = [
            "nano_usd", "input_fresh", "input_cache_read", "input_cache_write", "output_visible", "output_reasoning", "requests", "calls",
        ]
        func sums(_ wrap: (String) -> String) -> String { amounts.map { wrap("sum(\($0))") + " AS \($0)" }.joined(separator: ", ") }
        return """
            WITH cells AS (
                SELECT \(name) AS name, at - at % \(step) AS step, \(sums { $0 }) FROM ledger
                WHERE is_charge AND \(condition)\(more) GROUP BY 1, 2
            ), places AS (
                SELECT name, row_number() OVER (ORDER BY sum(nano_usd) DESC, name) AS place FROM cells GROUP BY name
            )
            SELECT CASE WHEN place <= \(StoreLimits.spendNames) THEN cells.name END AS shown, step,
                \(sums { "CAST(\($0) AS bigint)" })
            FROM cells JOIN places ON places.name = cells.name GROUP BY 1, 2 ORDER BY 2, 1
            """
    }
}
