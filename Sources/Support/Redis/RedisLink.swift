internal import Logging
internal import NIOCore

/// The part of a ``RedisConnection`` that lives on its event loop: carries out what ``RedisLinkState`` decides.
///
/// Loop-confined. Commands of one loop tick leave in one write and one flush; replies are handed to their callers in order.
final class RedisLink {
    private let configuration: RedisConnection.Configuration
    private let eventLoop: any EventLoop
    private let health: RedisHealthBox
    private let logger: Logger
    private let line: RedisLine
    private var state: RedisLinkState
    private var pipeline: RedisPipeline
    private var outbound = ByteBuffer()
    private var flushIsScheduled = false
    private var timerIsScheduled = false
    /// `run_id` of the Redis at the other end; asked anew on every connection.
    private var incarnation = ""
    private var starters: [(Result<Void, RedisFault>) -> Void] = []

    init(configuration: RedisConnection.Configuration, eventLoop: any EventLoop, health: RedisHealthBox) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.health = health
        self.logger = configuration.logger
        self.line = RedisLine(on: eventLoop, backoff: configuration.backoff)
        self.state = RedisLinkState(addresses: configuration.url.addresses.count)
        self.pipeline = RedisPipeline(limit: configuration.outstandingMax)
    }

    // MARK: What the owner asks for

    /// Connects; `done` learns the first outcome. After a bad one the attempts go on.
    func start(_ done: @escaping (Result<Void, RedisFault>) -> Void) {
        if state.isReady { return done(.success(())) }
        if state.isClosed { return done(.failure(.closed)) }
        starters.append(done)
        handle(.start)
    }

    func stop(_ done: @escaping () -> Void) {
        let ended = line.ended
        handle(.stop)
        ended.assumeIsolated().whenComplete { _ in done() }
    }

    /// Sends a command, or says at once why not.
    func submit(_ command: RedisCommand, _ completion: @escaping RedisPipeline.Completion) {
        guard state.isReady else { return completion(.failure(unavailable())) }
        enqueue(command, completion)
    }

    // MARK: Private

    private func handle(_ event: RedisLinkState.Event) {
        for action in state.apply(event) { perform(action) }
    }

    private func perform(_ action: RedisLinkState.Action) {
        switch action {
        case .connect: line.open(address, reader: RedisParser.self, for: self)
        case .prepare: prepare()
        case .disconnect: line.close()
        case .failPending(let fault):
            outbound.clear()
            for completion in pipeline.removeAll() { completion(.failure(fault)) }
        case .retry(let attempt): line.retry(attempt: attempt, for: self)
        case .report(let health): report(health)
        }
    }

    private func report(_ health: RedisHealth) {
        let before = self.health.replace(with: health)
        let outcome: Result<Void, RedisFault>
        switch health {
        case .ready:
            outcome = .success(())
            logger.info("redis connection ready")
        case .unreachable(let reason):
            outcome = .failure(.unreachable(reason))
            // One line when it goes, not one for each attempt.
            if before != health { logger.warning("redis unreachable", metadata: ["reason": "\(reason)"]) }
        case .notCluster(let address):
            outcome = .failure(.notCluster(address))
            if before != health { logger.error("redis stands alone among several addresses", metadata: ["address": "\(address)"]) }
        case .closed: outcome = .failure(.closed)
        case .connecting: return
        }
        let waiting = starters
        starters = []
        for done in waiting { done(outcome) }
    }

    private func unavailable() -> RedisFault {
        switch health.current {
        case .unreachable(let reason): .unreachable(reason)
        case .notCluster(let address): .notCluster(address)
        case .closed: .closed
        case .connecting, .ready: .unreachable("not connected yet")
        }
    }

    private var address: RedisURL.Address { configuration.url.addresses[state.address] }

    private func identify(_ info: RedisValue) {
        let lines = (info.string ?? "").split(whereSeparator: \.isNewline)
        let isCluster = lines.contains("redis_mode:cluster")
        guard isCluster || configuration.url.others.isEmpty else { return handle(.standsAlone(address.description)) }
        incarnation = lines.first { $0.hasPrefix("run_id:") }.map { String($0.dropFirst("run_id:".count)) } ?? ""
        health.identify(incarnation, isCluster: isCluster, at: address)
    }

    /// AUTH, SELECT, INFO and what the owner wants on each connection, in one write; ready when all are answered well.
    private func prepare() {
        var commands: [(name: String, command: RedisCommand)] = []
        let url = configuration.url
        if let password = url.password {
            commands.append(("AUTH", url.user.map { RedisCommand("AUTH", $0, password) } ?? RedisCommand("AUTH", password)))
        }
        if url.database != 0 { commands.append(("SELECT", RedisCommand("SELECT", String(url.database)))) }
        commands.append(("INFO", RedisCommand("INFO", "server")))
        commands += configuration.preparation.map { ("preparation", $0) }
        var missing = commands.count
        for (name, command) in commands {
            enqueue(command) { result in
                switch result {
                case .success(let value):
                    if name == "INFO" { self.identify(value) }
                    missing -= 1
                    if missing == 0 { self.handle(.prepared) }
                // A replica in a cluster has the functions of its master; it is asked for the slots, and becomes a master itself.
                case .failure(.server(let error)) where error.code == "READONLY" && self.health.isCluster:
                    missing -= 1
                    if missing == 0 { self.handle(.prepared) }
                case .failure(.server(let error)): self.handle(.prepareFailed("\(name) was refused: \(error.code) \(error.message)"))
                case .failure(let fault): self.handle(.prepareFailed("\(name) failed: \(fault)"))
                }
            }
        }
    }

    private func drop(_ reason: String) {
        line.close()
        handle(.disconnected(reason))
    }

    private func enqueue(_ command: RedisCommand, _ completion: @escaping RedisPipeline.Completion) {
        guard command.size <= configuration.commandBytesMax else { return completion(.failure(.commandTooLarge)) }
        guard !pipeline.isFull else { return completion(.failure(.overloaded)) }
        pipeline.append(deadline: .now() + .milliseconds(configuration.deadlineMilliseconds), completion)
        command.write(into: &outbound, incarnation: incarnation)
        armTimer()
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func flush() {
        flushIsScheduled = false
        guard outbound.readableBytes > 0, line.isOpen else { return }
        line.write(outbound)
        outbound.clear()
    }

    /// One timer a connection, however many commands wait: it fires for the oldest and is set again if something is left.
    private func armTimer() {
        guard !timerIsScheduled else { return }
        let due: NIODeadline
        if let next = pipeline.nextDeadline {
            due = next
        } else if let oldest = pipeline.oldestDeadline {
            // A command that comes meanwhile has its own deadline, and this timer is not set again before it fires.
            due = min(oldest + stall, .now() + .milliseconds(configuration.deadlineMilliseconds))
        } else {
            return
        }
        timerIsScheduled = true
        eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.timerFired() }
    }

    private func timerFired() {
        timerIsScheduled = false
        let now = NIODeadline.now()
        for completion in pipeline.expired(at: now) { completion(.failure(.timeout)) }
        if let oldest = pipeline.oldestDeadline, oldest + stall <= now { drop("no reply for \(stall.nanoseconds / 1_000_000) ms") }
        armTimer()
    }

    private var stall: TimeAmount { .milliseconds(configuration.deadlineMilliseconds * RedisLimits.stallDeadlines) }
}

extension RedisLink: RedisLineOwner {
    func lineChanged(_ event: RedisLinkState.Event) { handle(event) }

    func received(_ reply: RedisValue) {
        switch pipeline.answered() {
        case .nobody: drop("Redis answered without being asked")
        case .abandoned: break
        case .caller(let completion):
            if case .error(let error) = reply { completion(.failure(.server(error))) } else { completion(.success(reply)) }
        }
    }
}
