internal import AccountingRedis
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import RedisClient
internal import Synchronization

/// The Redis of run logs: the counters' own, by a connection of its own, so that a long answer never stands before a grant.
final class RunLogRedis: Sendable {
    private let seed: RedisConnection
    private let masters: RedisMasters

    init(_ url: RedisURL, logger: Logger) {
        var logger = logger
        logger[metadataKey: "for"] = "run logs"
        seed = RedisConnection(RedisConnection.Configuration(url: url, logger: logger), on: MultiThreadedEventLoopGroup.singleton.next())
        masters = RedisMasters(seed)
    }

    /// Returns at once: a server serves without it.
    func connect() { seed.connect() }

    func close() async {
        await masters.close()
        await seed.close()
    }

    func call(_ command: RedisCommand, tag: String) async throws(RedisFault) -> RedisValue {
        try await masters.call(command, tag: tag)
    }

    /// Sends all at once and waits for all. The results are in the order of the commands, which is also that in which the commands of one
    /// tag are carried out.
    func send(_ commands: [(tag: String, command: RedisCommand)]) async -> [Result<RedisValue, RedisFault>] {
        guard !commands.isEmpty else { return [] }
        var places: [String: Result<RedisConnection, RedisFault>] = [:]
        var shipments: [ObjectIdentifier: (connection: RedisConnection, commands: [(index: Int, command: RedisCommand)])] = [:]
        let answers = Answers(count: commands.count)
        for (index, entry) in commands.enumerated() {
            if places[entry.tag] == nil {
                do throws(RedisFault) { places[entry.tag] = .success(try await masters.connection(tag: entry.tag)) } catch {
                    places[entry.tag] = .failure(error)
                }
            }
            switch places[entry.tag] {
            case .success(let connection):
                shipments[ObjectIdentifier(connection), default: (connection, [])].commands.append((index, entry.command))
            case .failure(let fault): answers.set(index, .failure(fault))
            case nil: answers.set(index, .failure(.closed))
            }
        }
        let ready = Array(shipments.values)
        let results = await answers.wait {
            for shipment in ready {
                // One hop for all of them.
                shipment.connection.eventLoop.execute {
                    for (index, command) in shipment.commands {
                        shipment.connection.submit(command) { answers.set(index, $0) }
                    }
                }
            }
        }
        for case .failure(let fault) in results {
            if case .server(let error) = fault, error.code != "MOVED" { continue }
            await masters.note(fault)
            break
        }
        return results
    }

    /// Collects the replies to several commands. A short `Mutex`; replies come on event loops.
    private final class Answers: Sendable {
        private struct State {
            var results: [Result<RedisValue, RedisFault>?]
            var missing: Int
            var waiter: CheckedContinuation<Void, Never>?
        }

        private let state: Mutex<State>

        init(count: Int) { state = Mutex(State(results: Array(repeating: nil, count: count), missing: count)) }

        func set(_ index: Int, _ result: Result<RedisValue, RedisFault>) {
            let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard state.results[index] == nil else { return nil }
                state.results[index] = result
                state.missing -= 1
                guard state.missing == 0 else { return nil }
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }

        /// Every command is answered or times out, so this always returns.
        func wait(_ begin: () -> Void) async -> [Result<RedisValue, RedisFault>] {
            begin()
            await withCheckedContinuation { continuation in
                let isComplete = state.withLock { state in
                    if state.missing > 0 { state.waiter = continuation }
                    return state.missing == 0
                }
                if isComplete { continuation.resume() }
            }
            return state.withLock { $0.results.compactMap { $0 } }
        }
    }
}
