internal import Accounting
internal import Synchronization

/// When keys were last used, on its way to the store: never in the way of a request, at most once a minute for a key.
///
/// A `Mutex` held for a few lines guards two bounded dictionaries; one task writes.
final class KeyUses: Sendable {
    /// How much older than the truth the store may be.
    static let interval = Milliseconds(60_000)
    /// Keys that are remembered to have been written. Forgetting all costs each one early write.
    private static let keysMax = 50_000
    private static let pause = Duration.seconds(2)

    private struct State {
        /// To be written.
        var pending: [String: Milliseconds] = [:]
        /// What the store has.
        var written: [String: Milliseconds] = [:]
    }

    private let state = Mutex(State())
    private let keys: any KeyStore

    init(_ keys: any KeyStore) { self.keys = keys }

    func note(_ id: String, at now: Milliseconds) {
        state.withLock { state in
            if let last = state.written[id], now < last + Self.interval { return }
            // More than the task can write: the next use is as good.
            guard state.pending[id] != nil || state.pending.count < Self.keysMax else { return }
            state.pending[id] = now
        }
    }

    /// Writes until the task is cancelled. A store that does not take it is asked again with the next round.
    func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.pause)
            await flush()
        }
    }

    /// Writes what is due.
    func flush() async {
        while true {
            let batch = state.withLock { state in
                Dictionary(uniqueKeysWithValues: state.pending.prefix(StoreLimits.page).map { ($0.key, $0.value) })
            }
            guard !batch.isEmpty else { return }
            do { try await keys.used(batch) } catch { return }
            state.withLock { state in
                if state.written.count + batch.count > Self.keysMax { state.written.removeAll() }
                for (id, at) in batch {
                    if state.pending[id] == at { state.pending[id] = nil }
                    state.written[id] = at
                }
            }
            if batch.count < StoreLimits.page { return }
        }
    }
}
