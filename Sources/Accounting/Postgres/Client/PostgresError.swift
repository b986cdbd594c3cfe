/// An error that Postgres itself answered.
public struct PostgresServerError: Error, Sendable, Hashable {
    /// Five characters, such as `23505` (appendix A of the PostgreSQL manual).
    public let sqlState: String
    /// The primary message: one line, without the statement and its parameters.
    public let message: String

    /// The transaction lost to another one and may be repeated: serialization_failure, deadlock_detected.
    var isConflict: Bool { sqlState == "40001" || sqlState == "40P01" }
    /// No partition takes the row (check_violation).
    var isCheckViolation: Bool { sqlState == "23514" }
    /// admin_shutdown, crash_shutdown, cannot_connect_now: the server goes away or is not there yet.
    var isShutdown: Bool { sqlState.hasPrefix("57P0") }
}

/// Why a call to Postgres has no answer.
public enum PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no connection now; nothing was sent.
    case unreachable(String)
    /// The connection ended while the statement was on its way. It may have been executed.
    case lost(String)
    /// No answer within the deadline. The statement may have been executed.
    case timeout
    /// Too many calls wait; nothing was sent.
    case overloaded
    /// The database was closed by its owner.
    case closed
    case server(PostgresServerError)
    /// The answer is not what the statement answers with, or a row that no version of ours wrote.
    case malformed(String)

    public var description: String {
        switch self {
        case .unreachable(let reason): "Postgres cannot be reached: \(reason)"
        case .lost(let reason): "the connection to Postgres ended: \(reason)"
        case .timeout: "Postgres did not answer in time"
        case .overloaded: "too many calls wait for Postgres"
        case .closed: "the connection to Postgres was closed"
        case .server(let error): "Postgres refuses: \(error.message) (\(error.sqlState))"
        case .malformed(let what): "Postgres answered something unexpected: \(what)"
        }
    }

    /// Runs `body`, which reads a stored value with an initialiser of ours: what that refuses is malformed.
    static func reading<Value>(_ what: String, _ body: () throws -> Value) throws(PostgresError) -> Value {
        do { return try body() } catch let error as PostgresError { throw error } catch { throw .malformed("\(what): \(error)") }
    }
}
