internal import Synchronization

/// Decisions in memory, for tests and trials: gone with the process. A `Mutex`; safe to use from any task.
public final class MemoryDecisionStore: DecisionStore {
    private struct State {
        var records: [OrgID: [Record]] = [:]
        var places: [DecisionID: Int] = [:]
        var seqs: [OrgID: Int64] = [:]
        var rows = 0
        var chain = MemoryChain()

        mutating func next(_ org: OrgID) -> Int64 {
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
                state.chain.append(ChainRecord(decision, seq: record.seq), decisionSeq: nil)
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
                guard let place = state.places[outcome.key], let record = state.records[outcome.org]?[place], record.outcome == nil
                else { continue }
                let seq = state.next(outcome.org)
                state.records[outcome.org]?[place].outcome = (seq, outcome)
                state.chain.append(ChainRecord(outcome, seq: seq), decisionSeq: record.seq)
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

    public func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, after cursor: Int64, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        let limit = DecisionBatch.limit(limit, DecisionLimits.replayPage)
        let found = state.withLock { state in
            (state.records[reader.org] ?? []).lazy
                .filter { $0.seq > cursor && reader.sees($0.decision) && filter.takes($0.decision) }
                .prefix(limit).map(\.recorded)
        }
        return DecisionPage(decisions: Array(found), limit: limit)
    }

    public func sessionCalls(
        of owner: ConversationOwner, conversation: String, limit: Int
    ) async throws(DecisionError) -> [RecordedCall] {
        let limit = DecisionBatch.limit(limit, DecisionLimits.sessionCalls)
        return state.withLock { state in
            let calls = (state.records[owner.org] ?? []).lazy.filter { record in
                let decision = record.decision
                return decision.conversation.map(ByteText.init) == ByteText(conversation) && decision.kind == .call
                    && decision.decision == .allow && ByteText(decision.path.project) == ByteText(owner.project)
                    && ByteText(ConversationOwner(decision.path).user) == ByteText(owner.user) && decision.rule != ToolDecision.replayRule
            }
            return calls.prefix(limit + 1).map { record in
                RecordedCall(
                    tool: record.decision.tool, subject: record.decision.subject ?? "", isDone: record.outcome?.outcome.status == .ok,
                    isApproved: record.decision.approval != nil)
            }
        }
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

/// A process that could change this could do anything; the chain is here so that everything works without a database.
extension MemoryDecisionStore: AuditStore {
    public func extents(after org: OrgID?) async throws(DecisionError) -> [ChainExtent] {
        state.withLock { state in state.chain.orgs(after: org).prefix(ChainLimits.rows).map(state.chain.extent) }
    }

    public func extent(of org: OrgID) async throws(DecisionError) -> ChainExtent? {
        state.withLock { state in state.chain.logs[org] == nil ? nil : state.chain.extent(of: org) }
    }

    public func entries(of org: OrgID, _ seqs: ClosedRange<Int64>) async throws(DecisionError) -> [ChainEntry] {
        state.withLock { state in (state.chain.logs[org] ?? []).filter { seqs.contains($0.seq) } }
    }

    public func hashes(of org: OrgID, _ seqs: [Int64]) async throws(DecisionError) -> [Int64: String] {
        let seqs = Set(seqs)
        return state.withLock { state in
            let found = (state.chain.logs[org] ?? []).filter { seqs.contains($0.seq) }
            return Dictionary(found.compactMap { entry in entry.hash.map { (entry.seq, $0) } }, uniquingKeysWith: { one, _ in one })
        }
    }

    public func moved(after org: OrgID?) async throws(DecisionError) -> [ChainHead] {
        state.withLock { state in
            let heads = state.chain.orgs(after: org).compactMap { state.chain.head(of: $0) }
            return Array(heads.filter { $0.signed < $0.seq }.prefix(ChainLimits.rows))
        }
    }

    public func add(_ key: AuditKey) async throws(DecisionError) {
        state.withLock { state in
            guard !state.chain.keys.contains(where: { $0.id == key.id }) else { return }
            state.chain.keys.append(key)
        }
    }

    public func auditKeys() async throws(DecisionError) -> [AuditKey] { state.withLock { $0.chain.keys } }

    public func add(_ checkpoints: [Checkpoint]) async throws(DecisionError) {
        state.withLock { state in
            for checkpoint in checkpoints {
                guard !state.chain.checkpoints[checkpoint.org, default: []].contains(where: { $0.seq == checkpoint.seq }) else { continue }
                state.chain.checkpoints[checkpoint.org, default: []].append(checkpoint)
            }
        }
    }

    public func checkpoints(of org: OrgID, after seq: Int64) async throws(DecisionError) -> [Checkpoint] {
        state.withLock { state in
            let found = (state.chain.checkpoints[org] ?? []).filter { $0.seq > seq }.sorted { $0.seq < $1.seq }
            return Array(found.prefix(ChainLimits.rows))
        }
    }

    public func damage() async throws(DecisionError) -> String? { nil }
}

/// The chains of ``MemoryDecisionStore``: bounded by its rows.
private struct MemoryChain {
    var logs: [OrgID: [ChainEntry]] = [:]
    var tails: [OrgID: ChainTail] = [:]
    var keys: [AuditKey] = []
    var checkpoints: [OrgID: [Checkpoint]] = [:]

    mutating func append(_ record: ChainRecord, decisionSeq: Int64?) {
        var tail = tails[record.org] ?? ChainTail(beginningAt: record.seq)
        let hash = tail.link(record)
        tails[record.org] = tail
        logs[record.org, default: []].append(ChainEntry(seq: record.seq, record: record, hash: hash, decisionSeq: decisionSeq))
    }

    func orgs(after org: OrgID?) -> [OrgID] {
        logs.keys.filter { name in org.map { $0 < name } ?? true }.sorted()
    }

    func extent(of org: OrgID) -> ChainExtent {
        ChainExtent(org: org, first: logs[org]?.first?.seq, last: logs[org]?.last?.seq ?? 0)
    }

    func head(of org: OrgID) -> ChainHead? {
        tails[org].map { tail in
            let signed = checkpoints[org]?.map(\.seq).max() ?? 0
            return ChainHead(org: org, first: tail.first, seq: tail.seq, hash: tail.hash, signed: signed)
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
            && (self.decision == nil || decision.decision == self.decision) && (user == nil || decision.path.user == user)
            && (rule == nil || decision.rule == rule) && (kind == nil || decision.kind == kind)
            && (conversation == nil || decision.conversation == conversation) && (since.map { decision.at >= $0 } ?? true)
            && (until.map { decision.at < $0 } ?? true)
    }
}
