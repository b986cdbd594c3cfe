public import Accounting
public import Logging
public import RedisClient
internal import Synchronization

/// Carries ledger rows from the Redis streams `{org}:ledger` into the ledger.
///
/// The function that moves the amounts adds the row in the same call, so there is no moment in which one exists without the other. A
/// row leaves the stream only after the ledger has committed it; it may be appended twice (its charge id makes that harmless) and
/// never less than once. Until then the stream **is** the record: with an append-only Redis a settled run is durable when `settle`
/// answers, before the row is in the ledger.
///
/// Any number of processes drain one stream through a consumer group; what a dead one has read and not acknowledged is taken over. A
/// short `Mutex` guards the set of orgs that have something to drain.
public final class RedisOutbox: Sendable {
    private static let group = "kdcube"

    /// The orgs whose streams this process looks at.
    let orgs: @Sendable () async -> [CounterSlot]
    let masters: RedisMasters
    private let ledger: any LedgerStore
    private let consumer: String
    private let claimAfter: Milliseconds
    private let logger: Logger
    private let touched = Mutex<Set<CounterSlot>>([])
    private let waiting = Mutex<[CounterSlot: Int]>([:])

    /// - Parameters:
    ///   - connection: the Redis that stands alone, or a node of the cluster; its owner starts and closes it.
    ///   - consumer: this process among those that drain; the node's id.
    ///   - claimAfter: how long a row may stay unacknowledged with another consumer before it is taken over.
    ///   - orgs: asked every two seconds, and by a reap of all orgs.
    public init(
        _ connection: RedisConnection, ledger: any LedgerStore, consumer: String, logger: Logger,
        claimAfter: Milliseconds = Milliseconds(CounterLimits.outboxClaimMilliseconds), orgs: @escaping @Sendable () async -> [CounterSlot]
    ) {
        masters = RedisMasters(connection)
        self.ledger = ledger
        self.consumer = consumer
        self.claimAfter = claimAfter
        self.logger = logger
        self.orgs = orgs
    }

    /// Closes what was opened to the other masters of a cluster.
    public func close() async { await masters.close() }

    /// Rows that waited in the streams when they were last looked at (`kdcube_outbox_rows`).
    public var backlog: Int { waiting.withLock { $0.values.reduce(0, +) } }

    /// Drains until the task is cancelled. What is left then stays in the streams, for the next process.
    public func run() async {
        let clock = ContinuousClock()
        var sweepDue = clock.now
        var pause = CounterLimits.outboxRetryMilliseconds.lowerBound
        while !Task.isCancelled {
            let sweeps = clock.now >= sweepDue
            var work = takeTouched()
            if sweeps { work.formUnion(await orgs()) }
            if await look(at: work, thoroughly: sweeps) {
                if sweeps { sweepDue = clock.now.advanced(by: .milliseconds(CounterLimits.outboxSweepMilliseconds)) }
                pause = CounterLimits.outboxRetryMilliseconds.lowerBound
                try? await Task.sleep(for: .milliseconds(CounterLimits.outboxIdleMilliseconds))
            } else {
                try? await Task.sleep(for: .milliseconds(pause))
                pause = min(pause * 2, CounterLimits.outboxRetryMilliseconds.upperBound)
            }
        }
    }

    /// Drains each org; false when some could not be, which then stay touched. Nothing is lost by that: the rows are in the stream.
    private func look(at work: Set<CounterSlot>, thoroughly: Bool) async -> Bool {
        var isComplete = true
        for org in work {
            do throws(CounterStoreError) {
                if thoroughly { try await sweep(org: org) } else { try await drain(org: org) }
            } catch {
                isComplete = false
                touch(org)
                logger.warning("outbox waits", metadata: ["reason": "\(error)"])
                // One org's trouble is its own, and one master's in a cluster; without Redis none can be drained.
                if case .unreachable = error, !masters.isCluster { break }
            }
        }
        if !isComplete { for org in work { touch(org) } }
        return isComplete
    }

    /// Returns when all rows that the stream holds now are in the ledger, whoever else may be draining it.
    ///
    /// Reads past the consumer group on purpose: a row that another process has read may not be in the ledger yet.
    public func flush(org: CounterSlot) async throws(CounterStoreError) {
        let key = RedisKeys(org: org).ledger
        let newest = try await entries(RedisCommand("XREVRANGE", key, "+", "-", "COUNT", "1"), org: org)
        guard let last = newest.first?.id else { return }
        var from = "-"
        while true {
            let batch = try await entries(RedisCommand("XRANGE", key, from, last, "COUNT", String(CounterLimits.outboxBatchMax)), org: org)
            try await commit(batch, org: org, key: key)
            guard batch.count == CounterLimits.outboxBatchMax, let end = batch.last?.id else { return }
            from = "(\(end)"
        }
    }

    /// This process has moved amounts in `org`: its stream is worth a look.
    func touch(_ org: CounterSlot) {
        touched.withLock { _ = $0.insert(org) }
    }

    // MARK: Private

    private func takeTouched() -> Set<CounterSlot> {
        touched.withLock { touched in
            let taken = touched
            touched = []
            return taken
        }
    }

    /// Takes over what others left, drains, and counts what waits.
    private func sweep(org: CounterSlot) async throws(CounterStoreError) {
        let key = RedisKeys(org: org).ledger
        var from = "0-0"
        repeat {
            let claim = RedisCommand(
                "XAUTOCLAIM", key, Self.group, consumer, String(claimAfter.rawValue), from, "COUNT",
                String(CounterLimits.outboxBatchMax))
            guard let parts = try await inGroup(claim, org: org, key: key).elements, parts.count >= 2, let next = parts[0].string else {
                throw .failed("XAUTOCLAIM answered something else")
            }
            try await commit((parts[1].elements ?? []).compactMap { LedgerEntry($0, org: org) }, org: org, key: key)
            from = next
        } while from != "0-0" && !Task.isCancelled
        try await drain(org: org)
        let length = try await send(RedisCommand("XLEN", key), org: org).number ?? 0
        waiting.withLock { $0[org] = length == 0 ? nil : Int(length) }
    }

    private func drain(org: CounterSlot) async throws(CounterStoreError) {
        let key = RedisKeys(org: org).ledger
        let read = RedisCommand(
            "XREADGROUP", "GROUP", Self.group, consumer, "COUNT", String(CounterLimits.outboxBatchMax), "STREAMS", key, ">")
        while !Task.isCancelled {
            // [[key, [entry, …]]], or null when there is nothing new.
            guard let streams = try await inGroup(read, org: org, key: key).elements, let pair = streams.first?.elements, pair.count == 2
            else {
                return
            }
            let batch = (pair[1].elements ?? []).compactMap { LedgerEntry($0, org: org) }
            guard !batch.isEmpty else { return }
            try await commitWithPatience(batch, org: org, key: key)
            if batch.count < CounterLimits.outboxBatchMax { return }
        }
    }

    /// A batch that was read belongs to this process until it is acknowledged, so a ledger that is away is waited for.
    private func commitWithPatience(_ batch: [LedgerEntry], org: CounterSlot, key: String) async throws(CounterStoreError) {
        var pause = CounterLimits.outboxRetryMilliseconds.lowerBound
        while true {
            do throws(CounterStoreError) { return try await commit(batch, org: org, key: key) } catch {
                guard !Task.isCancelled else { throw error }
                logger.warning("ledger rows wait", metadata: ["reason": "\(error)", "rows": "\(batch.count)"])
                try? await Task.sleep(for: .milliseconds(pause))
                pause = min(pause * 2, CounterLimits.outboxRetryMilliseconds.upperBound)
            }
        }
    }

    /// Appends, and only then acknowledges and deletes.
    private func commit(_ batch: [LedgerEntry], org: CounterSlot, key: String) async throws(CounterStoreError) {
        let readable = batch.filter { $0.row != nil }
        if readable.count < batch.count {
            logger.error("outbox rows cannot be read", metadata: ["stream": "\(key)", "rows": "\(batch.count - readable.count)"])
        }
        guard !readable.isEmpty else { return }
        do throws(LedgerStoreError) {
            try await ledger.append(readable.compactMap(\.row))
        } catch {
            switch error {
            case .unreachable(let reason): throw .unreachable("ledger: \(reason)")
            case .failed(let reason): throw .failed("ledger: \(reason)")
            }
        }
        var acknowledge = RedisCommand("XACK", key, Self.group)
        var delete = RedisCommand("XDEL", key)
        for entry in readable {
            acknowledge.append(entry.id)
            delete.append(entry.id)
        }
        _ = try await send(acknowledge, org: org)
        _ = try await send(delete, org: org)
    }

    private func entries(_ command: RedisCommand, org: CounterSlot) async throws(CounterStoreError) -> [LedgerEntry] {
        guard let list = try await send(command, org: org).elements else { throw .failed("a stream answered something else") }
        return list.compactMap { LedgerEntry($0, org: org) }
    }

    /// A group command; makes the group when it is not there (a new org, or a Redis that came back empty).
    private func inGroup(_ command: RedisCommand, org: CounterSlot, key: String) async throws(CounterStoreError) -> RedisValue {
        do throws(RedisFault) { return try await masters.call(command, org: org) } catch {
            guard case .server(let refusal) = error, refusal.code == "NOGROUP" else { throw error.counterError }
        }
        do throws(RedisFault) {
            _ = try await masters.call(RedisCommand("XGROUP", "CREATE", key, Self.group, "0", "MKSTREAM"), org: org)
        } catch {
            // Another process was faster.
            guard case .server(let refusal) = error, refusal.code == "BUSYGROUP" else { throw error.counterError }
        }
        return try await send(command, org: org)
    }

    private func send(_ command: RedisCommand, org: CounterSlot) async throws(CounterStoreError) -> RedisValue {
        do throws(RedisFault) { return try await masters.call(command, org: org) } catch { throw error.counterError }
    }
}
