import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import AccountingRedis
@testable import RedisClient

/// Needs: redis-server.
@Suite("RedisConnection against a real Redis")
struct RedisConnectionTests {
    private func connection(
        _ url: RedisURL, _ change: (inout RedisConnection.Configuration) -> Void = { _ in }
    ) -> RedisConnection {
        var configuration = RedisConnection.Configuration(url: url, logger: quiet)
        configuration.backoff = RedisBackoff(first: 5, longest: 40)
        change(&configuration)
        return RedisConnection(configuration, on: MultiThreadedEventLoopGroup.singleton.next())
    }

    private func fault(_ body: () async throws(RedisFault) -> Void) async -> RedisFault? {
        do throws(RedisFault) { try await body() } catch { return error }
        return nil
    }

    @Test("Replies come in the order of the commands, three thousand deep")
    func order() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url)
        try await redis.start()
        let seen = Mutex<[Int64]>([])
        await withCheckedContinuation { done in
            for index in 1...3_000 {
                redis.submit(RedisCommand("INCR", "n")) { result in
                    if case .success(let value) = result { seen.withLock { $0.append(value.number ?? -1) } }
                    if index == 3_000 { done.resume() }
                }
            }
        }
        #expect(seen.withLock { $0 } == Array(1...3_000))
        await redis.close()
        #expect(await fault { () throws(RedisFault) in _ = try await redis.call(RedisCommand("PING")) } == .closed)
    }

    @Test("Password, database and unix socket are used; a wrong password is unreachable with the reason")
    func credentials() async throws {
        let server = try await RedisServer(options: ["--requirepass", "s3cret"])
        let right = connection(RedisURL(address: .unix(path: server.socketPath), password: "s3cret", database: 5))
        try await right.start()
        _ = try await right.call(RedisCommand("SET", "k", "v"))
        #expect(try await right.call(RedisCommand("CLIENT", "INFO")).string?.contains(" db=5 ") == true)
        #expect(right.health == .ready)
        await right.close()

        let wrong = connection(RedisURL(address: .tcp(host: "127.0.0.1", port: server.port), password: "other"))
        let refusal = await fault { () throws(RedisFault) in try await wrong.start() }
        guard case .unreachable(let reason) = refusal else { return #expect(Bool(false), "\(String(describing: refusal))") }
        #expect(reason.contains("WRONGPASS") && !reason.contains("other"))
        await wrong.close()
    }

    @Test("An error reply fails its own command and no other")
    func serverError() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url)
        try await redis.start()
        let replies = Mutex<[Result<RedisValue, RedisFault>]>([])
        await withCheckedContinuation { done in
            for command in [RedisCommand("SET", "k", "v"), RedisCommand("INCR", "k"), RedisCommand("ECHO", "after")] {
                redis.submit(command) { result in
                    replies.withLock { $0.append(result) }
                    if case .success(.text("after")) = result { done.resume() }
                }
            }
        }
        let refusal = RedisFault.server(RedisServerError("ERR value is not an integer or out of range"))
        #expect(replies.withLock { $0 } == [.success(.text("OK")), .failure(refusal), .success(.text("after"))])
        #expect(try await redis.call(RedisCommand("GET", "k")) == .text("v"))
        await redis.close()
    }

    @Test("A Redis that went away is unreachable at once, and it is used again when it is back")
    func comesBack() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url) { $0.deadlineMilliseconds = 60_000 }
        try await redis.start()
        server.kill()
        #expect(await eventually { if case .unreachable = redis.health { true } else { false } })
        let clock = ContinuousClock()
        let took = await clock.measure {
            for _ in 0..<100 {
                let error = await fault { () throws(RedisFault) in _ = try await redis.call(RedisCommand("PING")) }
                guard case .unreachable = error else { return #expect(Bool(false), "\(String(describing: error))") }
            }
        }
        #expect(took < .seconds(30), "a hundred refusals do not wait for one deadline of a minute, took \(took)")
        try await server.launch()
        #expect(await eventually { redis.health == .ready })
        #expect(try await redis.call(RedisCommand("PING")) == .text("PONG"))
        await redis.close()
    }

    @Test("A Redis that is not there at the start is waited for in the background")
    func startsLater() async throws {
        let server = try await RedisServer()
        server.kill()
        let redis = connection(server.url)
        let error = await fault { () throws(RedisFault) in try await redis.start() }
        guard case .unreachable = error else { return #expect(Bool(false), "\(String(describing: error))") }
        try await server.launch()
        #expect(await eventually { redis.health == .ready })
        await redis.close()
    }

    @Test("A Redis that hangs: each command ends at its deadline, too many are refused, and the connection recovers")
    func hangs() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url) {
            $0.deadlineMilliseconds = 300
            $0.outstandingMax = 8
        }
        try await redis.start()
        server.freeze()
        let faults = await withTaskGroup(of: RedisFault?.self) { group in
            for _ in 0..<10 {
                group.addTask { await self.fault { () throws(RedisFault) in _ = try await redis.call(RedisCommand("INCR", "n")) } }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(faults.filter { $0 == .timeout }.count == 8)
        #expect(faults.filter { $0 == .overloaded }.count == 2)
        #expect(await eventually { if case .unreachable = redis.health { true } else { false } }, "the stalled connection is given up")
        server.thaw()
        #expect(await eventually { redis.health == .ready })
        #expect(try await redis.call(RedisCommand("PING")) == .text("PONG"))
        await redis.close()
    }

    @Test("A command that comes after another one was given up has its own deadline, and not the connection's")
    func lateCommand() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url) { $0.deadlineMilliseconds = 3_000 }
        try await redis.start()
        server.freeze()
        func ask() async -> (RedisFault?, Duration) {
            let begin = ContinuousClock.now
            let found = await fault { () throws(RedisFault) in _ = try await redis.call(RedisCommand("PING")) }
            return (found, ContinuousClock.now - begin)
        }
        #expect(await ask().0 == .timeout)
        let (found, took) = await ask()
        // The connection is given up six seconds after this one was sent.
        #expect(found == .timeout && took < .milliseconds(5_500), "\(took)")
        server.thaw()
        await redis.close()
    }

    @Test("Commands that are on their way when Redis dies fail with the connection, not at their deadline")
    func diesWithCommandsOnTheWay() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url) { $0.deadlineMilliseconds = 60_000 }
        try await redis.start()
        server.freeze()
        let waiting = Task { await fault { () throws(RedisFault) in _ = try await redis.call(RedisCommand("INCR", "n")) } }
        // The frozen server takes the bytes into its socket; what it never reads it cannot answer.
        try await Task.sleep(for: .milliseconds(20))
        server.kill()
        let end = await waiting.value
        switch end {
        case .lost, .unreachable: break
        default: Issue.record("\(String(describing: end))")
        }
        await redis.close()
    }

    @Test("Closing answers everything that waits")
    func closing() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url) { $0.deadlineMilliseconds = 60_000 }
        try await redis.start()
        server.freeze()
        let faults = Mutex<[RedisFault]>([])
        for _ in 0..<5 {
            redis.submit(RedisCommand("PING")) { if case .failure(let fault) = $0 { faults.withLock { $0.append(fault) } } }
        }
        await redis.close()
        #expect(faults.withLock { $0 } == Array(repeating: RedisFault.closed, count: 5))
        #expect(redis.health == .closed)
        server.thaw()
    }

    @Test("A late reply is not taken for the next command's")
    func lateReply() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url) { $0.deadlineMilliseconds = 500 }
        try await redis.start()
        let error = await fault { () throws(RedisFault) in _ = try await redis.call(RedisCommand("DEBUG", "SLEEP", "1.0")) }
        #expect(error == .timeout)
        #expect(await eventually { try await redis.call(RedisCommand("ECHO", "mine")) == .text("mine") })
        #expect(redis.health == .ready)
        await redis.close()
    }

    @Test("A command larger than the limit is refused before it is sent")
    func tooLarge() async throws {
        let server = try await RedisServer()
        let redis = connection(server.url)
        try await redis.start()
        let large = RedisCommand("SET", "k", String(repeating: "x", count: RedisLimits.commandBytesMax))
        #expect(await fault { () throws(RedisFault) in _ = try await redis.call(large) } == .commandTooLarge)
        #expect(try await redis.call(RedisCommand("EXISTS", "k")) == .integer(0))
        await redis.close()
    }
}
