internal import Accounting
internal import AccountingRedis
internal import AccountingSQLite
internal import Foundation
internal import Logging
internal import NIOPosix

/// The stores that commands and the server share: the database of the data directory, and Redis when it is configured.
struct Stores: Sendable {
    let configuration: Configuration.Stores
    let database: EmbeddedDatabase

    var keys: KeyTable { KeyTable(database) }
    var budgets: BudgetTable { BudgetTable(database) }
    var ledger: SQLiteLedger { SQLiteLedger(database) }
    var usage: UsageQuery { UsageQuery(database) }

    /// Makes the data directory if it is not there. Reads files: not on an event loop.
    init(_ configuration: Configuration.Stores) throws {
        self.configuration = configuration
        do {
            try FileManager.default.createDirectory(
                atPath: configuration.data, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandFailure("the data directory \(configuration.data) cannot be made; choose another with --data")
        }
        database = try EmbeddedDatabase(path: configuration.data + "/kdcube.sqlite")
    }

    /// A Redis connection that is being made; nil when counters are embedded.
    func redis(logger: Logger) throws -> RedisConnection? {
        guard !configuration.redis.isEmpty else { return nil }
        do {
            let url = try RedisURL(parsing: configuration.redis)
            return RedisConnection(.counters(url: url, logger: logger), on: MultiThreadedEventLoopGroup.singleton.next())
        } catch {
            throw CommandFailure("stores.redis is no Redis address such as redis://127.0.0.1:6379/0")
        }
    }
}
