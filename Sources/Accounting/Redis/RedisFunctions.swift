public import Logging
public import RedisClient

/// The function library that keeps counters, as embedded from `Functions/*.lua`.
///
/// The library's and the functions' names carry a version: two releases of the server may use one Redis during a rolling deploy, each
/// calling its own. A change of behaviour needs a new version; a change of the text alone replaces the library in place.
enum RedisFunctions {
    /// The version in all names; the library has the same.
    static let version = "v5"

    /// `FUNCTION LOAD REPLACE`: sent on every new connection, because a Redis that came back empty has lost it.
    static var load: RedisCommand {
        var command = RedisCommand("FUNCTION", "LOAD", "REPLACE")
        command.append(
            PackageResources.accounting_lua + PackageResources.leases_lua + PackageResources.late_lua + PackageResources.functions_lua)
        return command
    }

    /// The head of one call: the function's name, the keys that it may touch, and the life that it is meant for.
    static func call(_ function: String, epoch: String, keys: [String]) -> RedisCommand {
        var command = RedisCommand("FCALL", "kdcube_\(function)_\(version)")
        command.append(Int64(keys.count + 1))
        command.append(epoch)
        for key in keys { command.append(key) }
        command.appendIncarnation()
        return command
    }

    /// Whether the library has to be loaded again (somebody flushed the functions while we were connected).
    static func isMissing(_ error: RedisServerError) -> Bool {
        error.code == "ERR" && error.message.hasPrefix("Function not found")
    }
}

extension RedisConnection.Configuration {
    /// A connection for a ``RedisCounterStore`` and its outbox: the function library is loaded before anything else is sent.
    public static func counters(url: RedisURL, logger: Logger) -> Self {
        var configuration = Self(url: url, logger: logger)
        configuration.preparation = [RedisFunctions.load]
        return configuration
    }
}

extension RedisConnection {
    /// One function call. If Redis does not know the function the library is loaded and the call repeated, once.
    func callFunction(_ command: RedisCommand) async throws(RedisFault) -> RedisValue {
        do {
            return try await call(command)
        } catch .server(let error) where RedisFunctions.isMissing(error) {
            _ = try await call(RedisFunctions.load)
            return try await call(command)
        }
    }
}
