internal import Accounting
internal import AccountingRedis
internal import AccountingSQLite
internal import Logging
internal import RedisClient

/// The counters of a server process: Redis when it is configured, else the embedded ones.
struct Counters: Sendable {
    let store: any CounterStore
    let connection: RedisConnection?
    let outbox: RedisOutbox?

    var isEmbedded: Bool { connection == nil }

    /// A Redis that is not there does not keep the server from starting: it refuses runs until it is. Several addresses that are no
    /// cluster do.
    init(_ stores: Stores, logger: Logger) async throws {
        guard let connection = try stores.redis(logger: logger) else {
            guard case .embedded(let database) = stores.durable else {
                throw CommandFailure("embedded counters need the embedded ledger")
            }
            store = try SQLiteCounterStore(database, clock: WallClock.accounting)
            self.connection = nil
            outbox = nil
            return
        }
        do {
            try await connection.startChecked()
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            logger.error("Redis cannot be reached; runs are refused until it is", metadata: ["fault": "\(error)"])
        }
        let outbox = RedisOutbox(connection, ledger: stores.ledger, consumer: "node-\(RandomText.urlSafe(bytes: 6))", logger: logger) {
            // Also what is left of slots that an org was once split over.
            let slots = (try? await stores.root.everySlot()) ?? []
            let orgs = (try? await stores.keys.orgs()) ?? []
            return Array(Set(slots).union(orgs.map { CounterSlot($0) }))
        }
        store = RedisCounterStore(outbox: outbox)
        self.connection = connection
        self.outbox = outbox
    }
}
