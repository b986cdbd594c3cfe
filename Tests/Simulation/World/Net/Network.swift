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

    func send(_ command: CounterCommand, for incarnation: String, life: Int64?, _ wait: Wait<Answer>) {
        if store.isAway, loop.random.chance(permille: 500) {
            loop.after(loop.random.integer(0...5)) { wait.finish(.failure(.unreachable("refused"))) }
            return
        }
        loop.after(timeout) { wait.finish(.failure(.unreachable("timeout"))) }
        // An opening that nobody repeated comes once: who was refused does not look back.
        if loop.random.chance(permille: profile?.doubled ?? 0), command.name != "open" { carry(command, incarnation, life, wait) }
        if loop.random.chance(permille: profile?.lostRequests ?? 0) { return }
        carry(command, incarnation, life, wait)
    }

    private func carry(_ command: CounterCommand, _ incarnation: String, _ life: Int64?, _ wait: Wait<Answer>) {
        loop.after(delay()) { [self] in
            guard !store.isAway else { return }
            let reply = store.apply(command, for: incarnation, life: life)
            if loop.random.chance(permille: profile?.lostReplies ?? 0) { return }
            loop.after(delay()) { wait.finish(.success(reply)) }
        }
    }

    func delay() -> Int64 {
        loop.random.chance(permille: profile?.late ?? 0) ? loop.random.integer(0...2 * timeout) : loop.random.integer(0...4)
    }

    /// Whether a call to something else than the counters fails.
    func fails() -> Bool { loop.random.chance(permille: profile?.lostRequests ?? 0) }
}
