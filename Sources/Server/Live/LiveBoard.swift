internal import Accounting
internal import Engine
internal import Synchronization

/// What this server knows of its live runs; told of ends and decisions as they happen, and looking at the rest when asked to.
///
/// A ``LiveState`` in a `Mutex`. Nothing is told by a token: a look reads what the coordinator has anyway.
final class LiveBoard: Sendable {
    let node: String
    private let state: Mutex<LiveState>
    /// One look after the other: an older one that came late would bring back runs that have ended.
    private let looking = Mutex(())

    init(node: String) {
        self.node = node
        state = Mutex(LiveState(node: node))
    }

    /// - Parameter elsewhere: what other servers were last seen to run.
    func look(at coordinator: RunCoordinator, elsewhere: [StreamRow] = []) {
        looking.withLock { _ in
            // Outside of the other lock, which an ending run takes: what is told meanwhile is known to have been counted.
            let samples = coordinator.live().map { StreamSample($0) }
            state.withLock { $0.take(samples, elsewhere: elsewhere, now: WallClock.now().rawValue) }
        }
    }

    /// What is to be told of the live runs, into `report`.
    func fill(_ report: inout ServerReport) {
        state.withLock { state in
            report.runs = Int64(state.runs)
            report.rate = state.rate
            report.totals = ServerReport.bounded(state.totals)
            report.streams = state.rows
            report.minutes = state.minutes
        }
    }

    func concluded(_ run: RunHandle, _ ending: RunEnding, _ settled: SettledUsage) {
        let cost = (try? NanoUSD(decimal: settled.costUSD).rawValue) ?? 0
        state.withLock {
            $0.concluded(
                run.identity.run.text, org: run.tenant.org, isCut: ending.outcome == .cut, tokens: Int64(settled.outputTokens), cost: cost,
                now: WallClock.now().rawValue)
        }
    }

    func decided(_ decision: ToolDecision) {
        guard decision.kind == .call || decision.kind == .admission || decision.kind == .refusal else { return }
        state.withLock { $0.decided(decision.path.org, isAllowed: decision.decision == .allow, now: WallClock.now().rawValue) }
    }
}

/// A decision store that tells the board of what it has kept. Everything else is the store's.
struct WatchedDecisions: DecisionStore {
    let store: any DecisionStore
    let board: LiveBoard

    func append(_ decisions: [ToolDecision]) async throws(DecisionError) {
        try await store.append(decisions)
        for decision in decisions { board.decided(decision) }
    }

    func append(outcomes: [ToolOutcome]) async throws(DecisionError) { try await store.append(outcomes: outcomes) }

    func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, before cursor: Int64?, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        try await store.decisions(for: reader, filter, before: cursor, limit: limit)
    }

    func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, after cursor: Int64, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        try await store.decisions(for: reader, filter, after: cursor, limit: limit)
    }

    func decision(for reader: DecisionReader, id: String) async throws(DecisionError) -> RecordedDecision? {
        try await store.decision(for: reader, id: id)
    }

    func sessionCalls(
        of owner: ConversationOwner, conversation: String, limit: Int
    ) async throws(DecisionError) -> [RecordedCall] {
        try await store.sessionCalls(of: owner, conversation: conversation, limit: limit)
    }
}
