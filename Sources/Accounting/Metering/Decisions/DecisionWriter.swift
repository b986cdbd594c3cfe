/// Keeps decisions for many callers at once: what comes while a transaction is under way shares the next one.
///
/// An actor. Nobody waits for a timer: a lone decision is written at once, and a batch grows only while the store is busy. The queues are
/// bounded, and whoever finds one full, or a store that fails, is told false: the call is then to be denied.
public actor DecisionWriter {
    private struct Waiting<Row: Sendable> {
        let row: Row
        let continuation: CheckedContinuation<Bool, Never>
    }

    private let store: any DecisionStore
    private let failed: @Sendable (DecisionError) -> Void
    private var decisions: [Waiting<ToolDecision>] = []
    private var outcomes: [Waiting<ToolOutcome>] = []
    private var isWriting = false

    /// - Parameter failed: told of each error of the store, for a log; must not wait.
    public init(_ store: any DecisionStore, failed: @escaping @Sendable (DecisionError) -> Void = { _ in }) {
        self.store = store
        self.failed = failed
    }

    /// - Returns: true when the decision is durable. False when it is not, or when that is not known: then nothing may be dispatched.
    public func append(_ decision: ToolDecision) async -> Bool {
        guard decisions.count < DecisionLimits.waitingRows else { return false }
        return await withCheckedContinuation { continuation in
            decisions.append(Waiting(row: decision, continuation: continuation))
            start()
        }
    }

    /// - Returns: true when the outcome is durable.
    public func append(_ outcome: ToolOutcome) async -> Bool {
        guard outcomes.count < DecisionLimits.waitingRows else { return false }
        return await withCheckedContinuation { continuation in
            outcomes.append(Waiting(row: outcome, continuation: continuation))
            start()
        }
    }

    /// Rows that wait for the next transaction.
    public var waiting: Int { decisions.count + outcomes.count }

    private func start() {
        guard !isWriting else { return }
        isWriting = true
        // Not structured: the transaction serves many callers, and one that is cancelled must not undo the others' decisions.
        Task { await self.writeBatches() }
    }

    private func writeBatches() async {
        while !decisions.isEmpty || !outcomes.isEmpty {
            let store = store
            let first = take(&decisions)
            await write(first) { rows throws(DecisionError) in try await store.append(rows) }
            let second = take(&outcomes)
            await write(second) { rows throws(DecisionError) in try await store.append(outcomes: rows) }
        }
        isWriting = false
    }

    private func take<Row>(_ queue: inout [Waiting<Row>]) -> [Waiting<Row>] {
        let batch = Array(queue.prefix(DecisionLimits.batchRows))
        queue.removeFirst(batch.count)
        return batch
    }

    /// Rows that the store names as wrong are left out, and the others are tried once more: one caller's mistake is not the others'.
    private func write<Row: Keyed>(_ batch: [Waiting<Row>], _ append: @Sendable ([Row]) async throws(DecisionError) -> Void) async {
        var batch = batch
        for attempt in 1...2 where !batch.isEmpty {
            do throws(DecisionError) {
                try await append(batch.map(\.row))
                for one in batch { one.continuation.resume(returning: true) }
                return
            } catch {
                failed(error)
                let wrong = attempt == 1 ? error.wrong : nil
                for one in batch where wrong?.contains(one.row.key) ?? true { one.continuation.resume(returning: false) }
                guard let wrong else { return }
                batch.removeAll { wrong.contains($0.row.key) }
            }
        }
    }
}

private protocol Keyed: Sendable {
    var key: DecisionID { get }
}

extension ToolDecision: Keyed {}
extension ToolOutcome: Keyed {}

extension DecisionError {
    /// The rows for which a batch was refused; nil when it was not for any one of them.
    fileprivate var wrong: Set<DecisionID>? {
        switch self {
        case .idsTaken(let ids), .noDecisions(let ids): ids
        case .malformed, .tooManyRows, .unavailable: nil
        }
    }
}
