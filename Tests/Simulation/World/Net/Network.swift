import Accounting

/// Between the nodes and the store: delays, loses, doubles and reorders. Confined to the loop's thread.
final class Network: @unchecked Sendable {
    typealias Answer = Result<CounterReply, CounterStoreError>

    private let loop: SimulationLoop
    private let store: StoreServer
    private let timeout: Int64
    private var profile: Profile?

    init(_ loop: SimulationLoop, store: StoreServer, profile: Profile, timeout: Int64) {
        self.loop = loop
        self.store = store
        self.profile = profile
        self.timeout = timeout
    }

    /// From now on every message arrives once, soon.
    func heal() { profile = nil }

    func send(_ command: CounterCommand, _ wait: Wait<Answer>) {
        if store.isAway, loop.random.chance(permille: 500) {
            loop.after(loop.random.integer(0...5)) { wait.finish(.failure(.unreachable("refused"))) }
            return
        }
        loop.after(timeout) { wait.finish(.failure(.unreachable("timeout"))) }
        if loop.random.chance(permille: profile?.doubled ?? 0) { carry(command, wait) }
        if loop.random.chance(permille: profile?.lostRequests ?? 0) { return }
        carry(command, wait)
    }

    private func carry(_ command: CounterCommand, _ wait: Wait<Answer>) {
        loop.after(delay()) { [self] in
            guard !store.isAway else { return }
            let reply = store.apply(command)
            if loop.random.chance(permille: profile?.lostReplies ?? 0) { return }
            loop.after(delay()) { wait.finish(.success(reply)) }
        }
    }

    private func delay() -> Int64 {
        loop.random.chance(permille: profile?.late ?? 0) ? loop.random.integer(0...2 * timeout) : loop.random.integer(0...4)
    }

    /// Whether a call to something else than the counters fails.
    func fails() -> Bool { loop.random.chance(permille: profile?.lostRequests ?? 0) }
}
