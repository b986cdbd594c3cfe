internal import Logging
internal import NIOCore
internal import Synchronization

/// The part of a ``RedisSubscriber`` that lives on its event loop: carries out what ``RedisSubscriberState`` decides. Loop-confined.
final class RedisSubscriberLink {
    private let url: RedisURL
    private let logger: Logger
    private let eventLoop: any EventLoop
    private let shared: RedisSubscriberShared
    private let observer: @Sendable (RedisSubscriberEvent) -> Void
    private let line: RedisLine
    private var state: RedisSubscriberState
    private var isTicking = false

    init(
        url: RedisURL, logger: Logger, eventLoop: any EventLoop, shared: RedisSubscriberShared,
        observer: @escaping @Sendable (RedisSubscriberEvent) -> Void
    ) {
        self.url = url
        self.logger = logger
        self.eventLoop = eventLoop
        self.shared = shared
        self.observer = observer
        line = RedisLine(on: eventLoop, backoff: RedisBackoff())
        state = RedisSubscriberState(
            addresses: url.addresses.count, credentials: url.password.map { password in (url.user.map { [$0] } ?? []) + [password] })
    }

    func handle(_ event: RedisSubscriberState.Event) {
        for action in state.apply(event) { perform(action) }
    }

    func stop(_ done: @escaping () -> Void) {
        let ended = line.ended
        handle(.link(.stop))
        ended.assumeIsolated().whenComplete { _ in done() }
    }

    // MARK: Private

    private func perform(_ action: RedisSubscriberState.Action) {
        switch action {
        case .connect: line.open(url.addresses[state.address], reader: RedisPushReader.self, for: self)
        case .disconnect: line.close()
        case .retry(let attempt): line.retry(attempt: attempt, for: self)
        case .report(let health): report(health)
        case .send(let commands): send(commands)
        case .deliver(let message):
            shared.status.withLock { $0.messages += 1 }
            observer(.message(message))
        case .refuse(let refusal): observer(.refused(refusal))
        case .ready(let isGap):
            if isGap { shared.status.withLock { $0.gaps += 1 } }
            observer(.ready(isGap: isGap))
        case .complain(let reason): logger.error("redis subscription refused", metadata: ["reason": "\(reason)"])
        }
    }

    private func report(_ health: RedisHealth) {
        let before = shared.status.withLock { status in
            let before = status.health
            status.health = health
            if before != health { status.since = .now() }
            return before
        }
        switch health {
        case .ready: logger.info("redis subscription ready")
        case .unreachable(let reason), .notCluster(let reason):
            shared.confirmed.withLock { $0 = [] }
            if before != health { logger.warning("redis subscription lost", metadata: ["reason": "\(reason)"]) }
            if before == .ready { observer(.lost) }
        case .closed: shared.confirmed.withLock { $0 = [] }
        case .connecting: break
        }
    }

    private func send(_ commands: [[String]]) {
        var bytes = ByteBuffer()
        for words in commands {
            var command = RedisCommand()
            for word in words { command.append(word) }
            command.write(into: &bytes, incarnation: "")
        }
        line.write(bytes)
    }

    private func tickLater() {
        guard !isTicking, !state.isClosed else { return }
        isTicking = true
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(RedisLimits.subscriberTickMilliseconds)) {
            self.isTicking = false
            guard self.line.isOpen else { return }
            self.handle(.tick)
            self.tickLater()
        }
    }
}

extension RedisSubscriberLink: RedisLineOwner {
    func lineChanged(_ event: RedisLinkState.Event) {
        handle(.link(event))
        if case .connected = event { tickLater() }
    }

    func received(_ push: RedisPush) {
        handle(.received(push))
        switch push {
        case .subscribed, .unsubscribed: shared.confirmed.withLock { $0 = state.confirmed }
        default: break
        }
    }
}
