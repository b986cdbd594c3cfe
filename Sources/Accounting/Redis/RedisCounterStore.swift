public import Accounting
internal import RedisClient
internal import Synchronization

/// Windows and leases in Redis: each command is one function call, decided as ``CounterMachine`` decides.
///
/// May be used from anywhere and by any number of processes at once. Every command may be repeated after an error: the functions
/// answer a repeat like the first time. A short `Mutex` guards the paths of the leases that this process opened; it only saves a round
/// trip, Redis compares the path on every call.
///
/// What Redis has to be: version 7, `maxmemory-policy noeviction` (an evicted window is loaded again from the ledger, an evicted lease
/// or outbox row is lost), and append-only if settled runs are to survive its restart (see ``RedisOutbox``). After a total loss every
/// window is `.missing` until it is loaded from the ledger and every lease is unknown; what such leases had spent and not yet committed
/// is known to their holders alone.
public final class RedisCounterStore: CounterStore {
    private let outbox: RedisOutbox
    private let known = Mutex<[LeaseKey: [WindowKey]]>([:])

    /// - Parameter outbox: its connection was made with ``RedisConnection/Configuration/counters(url:logger:)``.
    public init(outbox: RedisOutbox) { self.outbox = outbox }

    /// The `run_id` of the Redis process that has the org's keys; in a cluster, of the master of their slot.
    public func incarnation(org: CounterSlot) -> String { outbox.masters.incarnation(org: org) }

    public func apply(_ command: CounterCommand) async throws(CounterStoreError) -> CounterReply {
        try await decide(command).reply
    }

    public func apply(_ command: CounterCommand, in life: Epoch) async throws(CounterStoreError) -> CounterReply {
        try await decide(command, onlyIn: life).reply
    }

    /// Every row that any process has made for `org` so far is in the ledger when this returns.
    public func flushRows(org: CounterSlot) async throws(CounterStoreError) {
        try await outbox.flush(org: org)
    }

    /// The reply, and the store's time at which it was decided.
    func decide(
        _ command: CounterCommand, onlyIn life: Epoch? = nil
    ) async throws(CounterStoreError) -> (reply: CounterReply, now: Milliseconds) {
        switch command {
        case .open(let open): return try await decide(command, about: open.lease, path: open.path.map(\.key), onlyIn: life)
        case .step(let step): return try await decide(command, about: step.lease, path: path(of: step.lease))
        case .settle(let settle): return try await decide(command, about: settle.lease, path: path(of: settle.lease))
        case .resolve(let lease, _): return try await decide(command, about: lease, path: path(of: lease))
        case .assert(let claim): return try await decide(command, about: claim.lease, path: claim.path.map(\.key), onlyIn: life)
        case .announce(let org, let window), .load(let org, let window, _, _, _, _):
            return try await decide(command, org: org, windows: [window.key], onlyIn: life)
        case .release(let org, let window, _, _), .recall(let org, let window, _, _), .ask(let org, let window, _),
            .asked(let org, let window, _, _):
            return try await decide(command, org: org, windows: [window])
        case .begin(let org, _): return try await decide(command, org: org, keys: [RedisKeys(org: org).leases])
        case .clear(let org, _): return try await decide(command, org: org, keys: [RedisKeys(org: org).epoch])
        case .setCap(let org, let window, _, _): return try await decide(command, org: org, windows: [window])
        case .read(let org, let windows): return try await decide(command, org: org, windows: windows)
        case .reap(let org?, let grace): return try await reap(org: org, grace: grace)
        case .reap(nil, let grace):
            return try await reapAll(grace: grace)
        }
    }

    private func reapAll(grace: Milliseconds) async throws(CounterStoreError) -> (reply: CounterReply, now: Milliseconds) {
        var total = 0
        var now: Milliseconds?
        var failure: CounterStoreError?
        for org in await outbox.orgs() {
            do throws(CounterStoreError) {
                let (reply, at) = try await reap(org: org, grace: grace)
                now = at
                switch reply {
                case .reaped(let leases, _): total += leases
                // Nobody uses that org's counters in the present life: there is nothing to reap.
                case .lost: continue
                default: return (reply, at)
                }
            } catch {
                // In a cluster the orgs of the other masters are reaped all the same.
                guard outbox.masters.isCluster else { throw error }
                failure = failure ?? error
            }
        }
        if now == nil, let failure { throw failure }
        return (.reaped(leases: total, now: now ?? Milliseconds(0)), now ?? Milliseconds(0))
    }

    // MARK: Commands without a lease

    private func decide(
        _ command: CounterCommand, org: CounterSlot, windows: [WindowKey], onlyIn life: Epoch? = nil
    ) async throws(CounterStoreError) -> (reply: CounterReply, now: Milliseconds) {
        let keys = RedisKeys(org: org)
        var names: [String] = []
        for window in windows { names.append(try keys.window(window)) }
        return try await decide(command, org: org, keys: names, windows: windows, onlyIn: life)
    }

    private func decide(
        _ command: CounterCommand, org: CounterSlot, keys names: [String], windows: [WindowKey] = [], onlyIn life: Epoch? = nil
    ) async throws(CounterStoreError) -> (reply: CounterReply, now: Milliseconds) {
        var call = RedisFunctions.call(command.name, epoch: RedisKeys(org: org).epoch, keys: names)
        call.onlyLife = life.map { RedisLife(number: $0.number, incarnation: $0.incarnation) }
        try call.appendArguments(of: command, path: windows)
        let (answer, now) = try await send(call, org: org, path: windows)
        guard case .reply(let reply) = answer else { throw .failed("an answer to another question") }
        return (reply, now)
    }

    // MARK: Commands about a lease

    private func decide(
        _ command: CounterCommand, about lease: LeaseKey, path: [WindowKey], onlyIn life: Epoch? = nil
    ) async throws(CounterStoreError) -> (reply: CounterReply, now: Milliseconds) {
        var path = path
        var late: [WindowKey] = []
        // A second time only when the path was not known here: after a restart, or for another process's lease. And once more when a
        // budget came after the lease, or twice when another one does meanwhile.
        for _ in 0..<4 {
            var call = try Self.call(command.name, about: lease, path: path + late)
            call.onlyLife = life.map { RedisLife(number: $0.number, incarnation: $0.incarnation) }
            try call.appendArguments(of: command, path: path)
            if !late.isEmpty { call.append(Int64(late.count)) }
            let (answer, now) = try await send(call, org: lease.org, path: path)
            switch answer {
            case .reply(let reply):
                remember(lease, path, after: reply)
                outbox.touch(lease.org)
                return (reply, now)
            case .otherPath(let found): path = found
            case .lateWindows(let found): late = found
            case .due: throw .failed("an answer to another question")
            }
        }
        throw .failed("the path of a lease changed while it was asked for")
    }

    private static func call(_ function: String, about lease: LeaseKey, path: [WindowKey]) throws(CounterStoreError) -> RedisCommand {
        let keys = RedisKeys(org: lease.org)
        var names = [keys.ledger, keys.leases, keys.lease(lease.id)]
        for window in path { names.append(try keys.window(window)) }
        return RedisFunctions.call(function, epoch: keys.epoch, keys: names)
    }

    private func reap(org: CounterSlot, grace: Milliseconds) async throws(CounterStoreError) -> (reply: CounterReply, now: Milliseconds) {
        let keys = RedisKeys(org: org)
        var total = 0
        var first: Milliseconds?
        for _ in 0..<CounterLimits.reapBatchesMax {
            var due = RedisFunctions.call("due", epoch: keys.epoch, keys: [keys.leases])
            try due.appendArguments(of: .reap(org: org, grace: grace), path: [])
            due.append(Int64(CounterLimits.reapBatchMax))
            let (answer, now) = try await send(due, org: org, path: [])
            first = first ?? now
            guard case .due(let ids) = answer else {
                if case .reply(let reply) = answer { return (reply, now) }
                throw .failed("an answer to another question")
            }
            for id in ids {
                let lease = LeaseKey(org: org, id: id)
                let (reply, _) = try await decide(.reap(org: org, grace: grace), about: lease, path: path(of: lease))
                if case .reaped(let leases, _) = reply { total += leases }
            }
            if ids.count < CounterLimits.reapBatchMax { break }
        }
        let now = first ?? Milliseconds(0)
        return (.reaped(leases: total, now: now), now)
    }

    // MARK: Private

    private func send(
        _ call: RedisCommand, org: CounterSlot, path: [WindowKey]
    ) async throws(CounterStoreError) -> (answer: CounterAnswer, now: Milliseconds) {
        let value: RedisValue
        do { value = try await outbox.masters.callFunction(call, org: org) } catch { throw error.counterError }
        return try CounterDecoder(path: path).decode(value)
    }

    private func path(of lease: LeaseKey) -> [WindowKey] { known.withLock { $0[lease] ?? [] } }

    private func remember(_ lease: LeaseKey, _ path: [WindowKey], after reply: CounterReply) {
        known.withLock { known in
            switch reply {
            case .settled, .unknownLease: known[lease] = nil
            case .granted where known[lease] == nil, .done where known[lease] == nil:
                // Forgetting all at once is rare and cheap: each costs one more round trip, once.
                if known.count >= CounterLimits.knownLeasesMax { known.removeAll(keepingCapacity: true) }
                known[lease] = path
            default: break
            }
        }
    }
}
