internal import Synchronization

/// Decisions in memory, for tests and trials: gone with the process. A `Mutex`; safe to use from any task.
public final class MemoryDecisionStore: DecisionStore {
    private struct State {
        var records: [String: [Record]] = [:]
        var places: [DecisionID: Int] = [:]
        var seqs: [String: Int64] = [:]
        var rows = 0

        mutating func next(_ org: String) -> Int64 {
            rows += 1
            seqs[org, default: 0] += 1
            return seqs[org, default: 0]
        }
    }

    private struct Record {
        let seq: Int64
        let decision: ToolDecision
        var outcome: (seq: Int64, outcome: ToolOutcome)?

        var recorded: RecordedDecision {
            RecordedDecision(seq: seq, decision: decision, outcome: outcome?.outcome, outcomeSeq: outcome?.seq)
        }
    }

    private let state = Mutex(State())

    public init() {}

    public func append(_ decisions: [ToolDecision]) async throws(DecisionError) {
        let decisions = try DecisionBatch.distinct(decisions)
        let error = state.withLock { state -> DecisionError? in
            guard state.rows + decisions.count <= DecisionLimits.memoryRows else { return .unavailable("the store in memory is full") }
            var (new, taken): ([ToolDecision], Set<DecisionID>) = ([], [])
            for decision in decisions {
                guard let place = state.places[decision.key] else {
                    new.append(decision)
                    continue
                }
                if state.records[decision.path.org]?[place].decision != decision { taken.insert(decision.key) }
            }
            guard taken.isEmpty else { return .idsTaken(taken) }
            for decision in new {
                state.places[decision.key] = state.records[decision.path.org]?.count ?? 0
                let record = Record(seq: state.next(decision.path.org), decision: decision)
                state.records[decision.path.org, default: []].append(record)
            }
            return nil
        }
        if let error { throw error }
    }

    public func append(outcomes: [ToolOutcome]) async throws(DecisionError) {
        let outcomes = try DecisionBatch.distinct(outcomes)
        let error = state.withLock { state -> DecisionError? in
            guard state.rows + outcomes.count <= DecisionLimits.memoryRows else { return .unavailable("the store in memory is full") }
            let missing = Set(outcomes.map(\.key).filter { state.places[$0] == nil })
            guard missing.isEmpty else { return .noDecisions(missing) }
            for outcome in outcomes {
                guard let place = state.places[outcome.key], state.records[outcome.org]?[place].outcome == nil else { continue }
                let seq = state.next(outcome.org)
                state.records[outcome.org]?[place].outcome = (seq, outcome)
            }
            return nil
        }
        if let error { throw error }
    }

    public func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, before cursor: Int64?, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        let limit = DecisionBatch.limit(limit)
        let found = state.withLock { state in
            (state.records[reader.org] ?? []).reversed().lazy
                .filter { $0.seq < cursor ?? .max && reader.sees($0.decision) && filter.takes($0.decision) }
                .prefix(limit).map(\.recorded)
        }
        return DecisionPage(decisions: Array(found), limit: limit)
    }

    public func decision(for reader: DecisionReader, id: String) async throws(DecisionError) -> RecordedDecision? {
        state.withLock { state in
            guard let place = state.places[DecisionID(org: reader.org, id: id)], let record = state.records[reader.org]?[place],
                reader.sees(record.decision)
            else { return nil }
            return record.recorded
        }
    }
}

extension DecisionReader {
    fileprivate func sees(_ decision: ToolDecision) -> Bool {
        decision.path.org == org && (project == nil || decision.path.project == project) && (user == nil || decision.path.user == user)
    }
}

extension DecisionFilter {
    fileprivate func takes(_ decision: ToolDecision) -> Bool {
        (run == nil || decision.run == run) && (tool == nil || decision.tool == tool)
            && (self.decision == nil || decision.decision == self.decision)
    }
}
