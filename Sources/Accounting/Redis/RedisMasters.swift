internal import Accounting
internal import NIOCore
internal import NIOPosix
package import RedisClient
internal import Synchronization

/// The connections of a counter store: one to a Redis that stands alone, one a master to a cluster. Which it is, the Redis says.
///
/// Every command names the org whose keys it touches, and all keys of an org are in one slot, so no command can cross slots. May be
/// used from any task; a short `Mutex` guards the map.
///
/// `MOVED` is followed. `ASK` is not: a slot that is being moved has an org's counters in two halves, and half the counters decide
/// nothing; the org's runs wait until the slot has arrived, which is a new life for it (``Epoch``), like a failover.
package final class RedisMasters: Sendable {
    private struct State {
        var slots = RedisSlots()
        var connections: [(address: RedisURL.Address, connection: RedisConnection)] = []
        var refresh: Task<Void, Never>?
        var refreshedAt: ContinuousClock.Instant?
        var isClosed = false

        func connection(to address: RedisURL.Address) -> RedisConnection? { connections.first { $0.address == address }?.connection }
    }

    private let seed: RedisConnection
    private let state = Mutex(State())

    /// - Parameter seed: the Redis that stands alone, or any node of the cluster. One that has several addresses goes on to the next when
    ///   its node is away.
    package init(_ seed: RedisConnection) { self.seed = seed }

    /// True when one master may be away while others are not.
    var isCluster: Bool { seed.isCluster }

    /// The `run_id` of the process that has the org's keys; empty while it is not known.
    func incarnation(org: CounterSlot) -> String {
        guard seed.isCluster else { return seed.incarnation }
        return known(org.name)?.incarnation ?? ""
    }

    /// - Parameter tag: the hash tag of its keys.
    package func call(_ command: RedisCommand, tag: String) async throws(RedisFault) -> RedisValue {
        try await route(tag) { (connection) throws(RedisFault) in try await connection.call(command) }
    }

    func call(_ command: RedisCommand, org: CounterSlot) async throws(RedisFault) -> RedisValue {
        try await call(command, tag: org.name)
    }

    /// As ``call(_:org:)``, and the library is loaded where it is missing.
    func callFunction(_ command: RedisCommand, org: CounterSlot) async throws(RedisFault) -> RedisValue {
        try await route(org.name) { (connection) throws(RedisFault) in try await connection.callFunction(command) }
    }

    /// Where the keys with a hash tag are, for who sends many commands at once and tells ``note(_:)`` what went wrong.
    package func connection(tag: String) async throws(RedisFault) -> RedisConnection {
        guard seed.isCluster else { return seed }
        if known(tag) == nil { await refreshAtTimes() }
        guard let connection = known(tag) else { throw .unreachable("no master has the slot of the org") }
        if connection.health == .connecting { try? await connection.start() }
        return connection
    }

    /// A command of somebody who asked for a ``connection(tag:)`` failed like this: perhaps the slot is elsewhere now.
    package func note(_ fault: RedisFault) async {
        guard seed.isCluster else { return }
        switch fault {
        case .server(let refusal) where refusal.code != "MOVED": return
        default: await refreshAtTimes()
        }
    }

    /// Closes all but the seed, which its owner closes.
    package func close() async {
        let all = state.withLock { state in
            defer { state.connections = [] }
            state.isClosed = true
            return state.connections.map(\.connection)
        }
        for connection in all { await connection.close() }
    }

    // MARK: Private

    private func known(_ tag: String) -> RedisConnection? {
        state.withLock { state in state.slots.master(of: RedisSlots.slot(tag: tag)).flatMap { state.connection(to: $0) } }
    }

    private func route(
        _ tag: String, _ call: (RedisConnection) async throws(RedisFault) -> RedisValue
    ) async throws(RedisFault) -> RedisValue {
        guard seed.isCluster else { return try await call(seed) }
        for _ in 0..<RedisLimits.redirectsMax {
            if known(tag) == nil { await refresh() }
            guard let connection = known(tag) else { throw .unreachable("no master has the slot of the org") }
            // Nobody has heard of this master yet: a burst of first calls waits for the first outcome instead of failing.
            if connection.health == .connecting { try? await connection.start() }
            do throws(RedisFault) { return try await call(connection) } catch {
                switch error {
                case .server(let refusal) where refusal.code == "MOVED": await refresh()
                // Perhaps another has taken over; the caller repeats what was not answered.
                case .unreachable, .lost, .timeout, .closed, .notCluster:
                    await refreshAtTimes()
                    throw error
                default: throw error
                }
            }
        }
        throw .unreachable("the slot of the org is being moved")
    }

    /// While a master is away every command fails; the map is asked for now and then only.
    private func refreshAtTimes() async {
        let pause = Duration.milliseconds(RedisLimits.slotsMilliseconds)
        guard state.withLock({ $0.refreshedAt.map { $0.duration(to: .now) >= pause } ?? true }) else { return }
        await refresh()
    }

    /// Asks the nodes one after another which master has what. Callers at one time share the work.
    private func refresh() async {
        let task = state.withLock { state -> Task<Void, Never> in
            if let task = state.refresh { return task }
            // Not structured: several commands wait for it, and one that is cancelled must not take it from the others.
            let task = Task { await self.performRefresh() }
            state.refresh = task
            return task
        }
        await task.value
    }

    private func performRefresh() async {
        let nodes = state.withLock { $0.connections.map(\.connection) } + [seed]
        for node in nodes {
            guard case .ready = node.health, let answer = try? await node.call(RedisCommand("CLUSTER", "SLOTS")),
                let slots = RedisSlots(answer, asked: node.address), !slots.masters.isEmpty
            else { continue }
            await take(slots)
            break
        }
        state.withLock { state in
            state.refresh = nil
            state.refreshedAt = .now
        }
    }

    private func take(_ slots: RedisSlots) async {
        let (new, gone) = state.withLock { state -> ([RedisConnection], [RedisConnection]) in
            guard !state.isClosed else { return ([], []) }
            let masters = slots.masters
            let gone = state.connections.filter { !masters.contains($0.address) }.map(\.connection)
            state.connections.removeAll { !masters.contains($0.address) }
            var new: [RedisConnection] = []
            for address in masters where state.connection(to: address) == nil {
                var configuration = seed.configuration
                configuration.url.address = address
                configuration.url.others = []
                let connection = RedisConnection(configuration, on: MultiThreadedEventLoopGroup.singleton.next())
                state.connections.append((address, connection))
                new.append(connection)
            }
            state.slots = slots
            return (new, gone)
        }
        // Not waited for: a master that is away must not keep the orgs of the others waiting. Who needs one waits for that one.
        for connection in new { connection.connect() }
        for connection in gone { await connection.close() }
    }
}
