internal import Accounting
internal import JSON
internal import Supervisor

/// Past decisions about calls, made again under a set of policies: what `kdcube policy replay` prints and a dry run shows.
struct PastDecisions: Sendable {
    /// What differs.
    struct Difference: Sendable {
        let record: RecordedDecision
        let was: PolicyReplay.Said
        let now: PolicyReplay.Said
    }

    struct Summary: Sendable {
        var same = 0
        var different = 0
        /// Made without policies, or with arguments too long to be kept, or about tools that are no more.
        var unanswerable = 0

        var compared: Int { same + different }
    }

    let decisions: any DecisionStore
    let bundle: PolicyBundle
    let catalog: ToolCatalog

    /// Page by page, the oldest first; memory does not grow with the log.
    ///
    /// - Parameters:
    ///   - limit: records that are looked at; nil for all.
    ///   - differs: takes each difference, in the order of the log.
    func replay(
        _ org: OrgID, since: Milliseconds?, limit: Int? = nil, differs: (Difference) throws -> Void
    ) async throws -> Summary {
        let handle = OrgHandle(org: org)
        var summary = Summary()
        var (cursor, left): (Int64, Int) = (0, limit ?? .max)
        while left > 0 {
            let page = try await decisions.decisions(
                for: .org(handle), DecisionFilter(kind: .call, since: since), after: cursor, limit: min(left, DecisionLimits.replayPage))
            for recorded in page.decisions {
                switch compare(recorded) {
                case .same: summary.same += 1
                case .differs(let was, let now):
                    summary.different += 1
                    try differs(Difference(record: recorded, was: was, now: now))
                case .unanswerable, nil: summary.unanswerable += 1
                }
            }
            guard let next = page.next else { break }
            cursor = next
            left -= page.decisions.count
        }
        return summary
    }

    private func compare(_ recorded: RecordedDecision) -> PolicyReplay.Comparison? {
        guard let past = RecordedQuestion(recorded.decision), let said = PolicyReplay.Said(ruling: past.ruling) else { return nil }
        return PolicyReplay.compare(
            PolicyReplay.Recorded(id: recorded.decision.id, question: past.question, said: said), with: bundle, catalog: catalog)
    }
}

extension PastDecisions.Difference {
    var json: JSONValue {
        let decision = record.decision
        return [
            "decision_id": .string(decision.id), "seq": .integer(record.seq), "at": .integer(decision.at.rawValue),
            "org": .string(decision.path.org.text), "user": decision.path.user.map { .string($0) } ?? .null, "run": .string(decision.run),
            "tool": .string(decision.tool), "was": was.json, "now": now.json,
        ]
    }

    var text: String {
        "\(record.decision.at.rfc3339) \(record.decision.id) \(record.decision.tool): \(was.text) -> \(now.text)"
    }
}
