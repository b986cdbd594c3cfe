internal import Accounting
internal import Engine
internal import JSON
internal import Synchronization
internal import Telemetry

/// Keeps why runs were cut or failed, beside the ledger: told by the engine at once, written in batches.
///
/// What waits is in a `Mutex` held for a few lines. A store that is away is tried again; beyond ``waitingMax`` the newest is
/// dropped and counted: then the ledger still has the charges, and only the reason is lost.
final class RunEndRecorder: Sendable {
    /// At 500 bytes each five megabytes; a minute of nothing but cuts at 160 a second.
    static let waitingMax = 10_000
    private static let batchMax = 500

    private let store: any RunEndStore
    private let metrics: ServerMetrics
    private let waiting = Mutex<[RunEnd]>([])

    init(store: any RunEndStore, metrics: ServerMetrics) {
        self.store = store
        self.metrics = metrics
    }

    func record(_ run: RunHandle, _ ending: RunEnding, at time: Int64) {
        guard let end = RunEnd(run, ending, at: time) else { return }
        let isKept = waiting.withLock { waiting in
            guard waiting.count < Self.waitingMax else { return false }
            waiting.append(end)
            return true
        }
        if !isKept { metrics.runEndsDropped.add() }
    }

    /// Writes five times a second, and forgets once an hour what is too old, until the task is cancelled.
    func run() async {
        var rounds = 0
        while !Task.isCancelled {
            await flush()
            if rounds % 18_000 == 0 {
                // Too old is not urgent: what fails now is forgotten an hour later.
                _ = try? await store.forget(before: WallClock.now() - StoreLimits.runEndRetention)
            }
            rounds += 1
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Writes what waits; what the store does not take waits on.
    func flush() async {
        while true {
            let batch = waiting.withLock { waiting in
                defer { waiting.removeFirst(min(waiting.count, Self.batchMax)) }
                return Array(waiting.prefix(Self.batchMax))
            }
            guard !batch.isEmpty else { return }
            do {
                try await store.append(batch)
            } catch {
                waiting.withLock { $0.insert(contentsOf: batch, at: 0) }
                return
            }
        }
    }
}

extension RunEnd {
    /// Nil for a run that completed, or whose tenant has a name that cannot be accounted.
    init?(_ run: RunHandle, _ ending: RunEnding, at time: Int64) {
        guard let path = try? TenancyPath(of: run.tenant) else { return nil }
        let detail: JSONValue
        let outcome: Outcome
        switch ending {
        case .complete: return nil
        case .cut(let cut):
            outcome = .cut
            detail = ["cut": cut.json, "message": .string(cut.sentence(isRefusal: false))]
        case .error(let code, let message):
            outcome = .error
            detail = ["error": ["code": .string(code), "message": .string(message)], "message": .string(message)]
        }
        self.init(
            run: run.identity.run.text, path: path, model: run.model, outcome: outcome, detail: detail.jsonText, at: Milliseconds(time))
    }
}
