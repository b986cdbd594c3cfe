internal import GRDB

/// Why the embedded database did not do what was asked.
public enum EmbeddedDatabaseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file cannot be opened, or is no database of ours.
    case cannotOpen(String)
    /// Another server process uses the counters of this data directory.
    case inUse(path: String)
    case failed(String)

    public var description: String {
        switch self {
        case .cannotOpen(let reason): "cannot open the database: \(reason)"
        case .inUse(let path): "another server uses this data directory (\(path) is locked); stop it, or give each server its own --data"
        case .failed(let reason): "the database failed: \(reason)"
        }
    }
}

/// The one SQLite file of a data directory: ledger, counters, budgets, keys, conversations.
///
/// Several processes may have it open: the server, and commands that read and write beside it. Write-ahead log, so that
/// readers never wait for writers; `synchronous=NORMAL`, which loses nothing when the process dies, and at most the last
/// transactions, never consistency, when the machine does; what must not be lost then either is written durably. Safe to use from any task; the pool serialises writers.
public final class EmbeddedDatabase: Sendable {
    let pool: DatabasePool
    public let path: String

    /// Opens or makes the file and brings its tables up to date.
    public init(path: String) throws(EmbeddedDatabaseError) {
        var configuration = Configuration()
        configuration.busyMode = .timeout(SQLiteLimits.busySeconds)
        configuration.prepareDatabase { db in
            guard !db.configuration.readonly else { return }
            try db.execute(sql: "PRAGMA synchronous=NORMAL")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try Schema.migrator.migrate(pool)
            let mode = try pool.writeWithoutTransaction { db in
                (try String.fetchOne(db, sql: "PRAGMA journal_mode"), try Int.fetchOne(db, sql: "PRAGMA synchronous"))
            }
            guard mode == ("wal", 1) else { throw EmbeddedDatabaseError.cannotOpen("no write-ahead log on this file system") }
        } catch let error as EmbeddedDatabaseError {
            throw error
        } catch {
            throw .cannotOpen("\(path): \(error)")
        }
        self.path = path
    }

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(EmbeddedDatabaseError) -> Value {
        do { return try await pool.read(body) } catch let error as EmbeddedDatabaseError { throw error } catch { throw .failed("\(error)") }
    }

    /// One transaction, all or nothing.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(EmbeddedDatabaseError) -> Value {
        do { return try await pool.write(body) } catch let error as EmbeddedDatabaseError { throw error } catch {
            throw .failed("\(error)")
        }
    }

    /// One transaction, all or nothing, that survives the loss of power when this returns. The commit also brings to the disk what other
    /// transactions have left in the write-ahead log before it. Not cancelled with the caller's task.
    func writeDurably<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(EmbeddedDatabaseError) -> Value {
        let pool = pool
        // What a tool has done is to be told also when nobody waits for it any more.
        let work = Task {
            try await pool.writeWithoutTransaction { db in
                // Inside a transaction SQLite does not change it.
                try db.execute(sql: "PRAGMA synchronous=FULL")
                defer { try? db.execute(sql: "PRAGMA synchronous=NORMAL") }
                var value: Value?
                try db.inTransaction(.immediate) {
                    value = try body(db)
                    return .commit
                }
                guard let value else { throw EmbeddedDatabaseError.failed("no answer of a transaction") }
                return value
            }
        }
        do { return try await work.value } catch let error as EmbeddedDatabaseError { throw error } catch { throw .failed("\(error)") }
    }

    /// Answers when the database does, for readiness.
    public func ping() async throws(EmbeddedDatabaseError) {
        _ = try await read { try Int.fetchOne($0, sql: "SELECT 1") }
    }

    /// Closes the file; later calls fail.
    public func close() { try? pool.close() }
}
