/// The life of one connection that subscribes, as a pure state machine: connect, be let in, subscribe to all that is wanted, listen,
/// lose, wait, connect again. The way in and out is ``RedisLinkState``'s.
struct RedisSubscriberState {
    enum Event {
        /// What is not about subscriptions; never `prepared`, which is seen from what was received.
        case link(RedisLinkState.Event)
        case received(RedisPush)
        /// Every ``RedisLimits/subscriberTickMilliseconds``.
        case tick
        case subscribe([RedisTopic])
        case unsubscribe([RedisTopic])
    }

    enum Action: Equatable {
        case connect
        case disconnect
        case retry(attempt: Int)
        case report(RedisHealth)
        /// Commands, each by its words.
        case send([[String]])
        case deliver(RedisMessage)
        case refuse(RedisMessageRefusal)
        /// All that was wanted is subscribed. A gap: what was published since the last connection was lost is lost.
        case ready(isGap: Bool)
        /// Something that an operator should see: Redis refused a subscription, or there are too many.
        case complain(String)
    }

    private var link: RedisLinkState
    private let credentials: [String]?
    private var wanted: Set<RedisTopic> = []
    private(set) var confirmed: Set<RedisTopic> = []
    private var wasReady = false
    private var silentTicks = 0

    /// - Parameter credentials: what AUTH is given, if anything.
    init(addresses: Int = 1, credentials: [String]? = nil) {
        link = RedisLinkState(addresses: addresses)
        self.credentials = credentials
    }

    var address: Int { link.address }
    var isReady: Bool { link.isReady }
    var isClosed: Bool { link.isClosed }

    mutating func apply(_ event: Event) -> [Action] {
        switch event {
        case .link(let event): return step(event)
        case .tick: return tick()
        case .received(let push):
            silentTicks = 0
            return received(push)
        case .subscribe(let topics):
            let new = topics.filter { !wanted.contains($0) }
            guard wanted.count + new.count <= RedisLimits.topicsMax else { return [.complain("too many subscriptions")] }
            wanted.formUnion(new)
            return canSend && !new.isEmpty ? [.send(Self.commands("SUBSCRIBE", new))] : []
        case .unsubscribe(let topics):
            let old = topics.filter { wanted.contains($0) }
            wanted.subtract(old)
            return canSend && !old.isEmpty ? [.send(Self.commands("UNSUBSCRIBE", old))] : []
        }
    }

    private var canSend: Bool { link.isReady || link.isPreparing }

    private mutating func received(_ push: RedisPush) -> [Action] {
        guard canSend else { return [] }
        switch push {
        case .message(let message): return [.deliver(message)]
        case .refused(let refusal): return [.refuse(refusal)]
        case .subscribed(let topic):
            confirmed.insert(topic)
            return []
        case .unsubscribed(let topic):
            confirmed.remove(topic)
            return []
        case .done: return []
        // Replies come in order: the pong of the preparation comes after every confirmation.
        case .pong: return link.isPreparing ? step(.prepared) : []
        case .failed(let error):
            let reason = "\(error.code) \(error.message)"
            return link.isPreparing ? step(.prepareFailed(reason)) : [.complain(reason)]
        }
    }

    /// A half-open connection says nothing for ever: after a silence it is asked, and then given up.
    private mutating func tick() -> [Action] {
        guard canSend else { return [] }
        silentTicks += 1
        if silentTicks >= RedisLimits.subscriberSilentTicksMax {
            let reason = "no sign of life"
            return link.isReady ? [.disconnect] + step(.disconnected(reason)) : step(.prepareFailed(reason))
        }
        return link.isReady ? [.send([["PING"]])] : []
    }

    private mutating func step(_ event: RedisLinkState.Event) -> [Action] {
        var actions: [Action] = []
        for action in link.apply(event) {
            switch action {
            case .connect: actions.append(.connect)
            case .prepare:
                silentTicks = 0
                confirmed = []
                actions.append(.send(preparation))
            case .disconnect: actions.append(.disconnect)
            case .failPending: break
            case .retry(let attempt): actions.append(.retry(attempt: attempt))
            case .report(let health):
                if health != .ready { confirmed = [] }
                actions.append(.report(health))
                guard health == .ready else { continue }
                actions.append(.ready(isGap: wasReady))
                wasReady = true
            }
        }
        return actions
    }

    private var preparation: [[String]] {
        (credentials.map { [["AUTH"] + $0] } ?? []) + Self.commands("SUBSCRIBE", Array(wanted)) + [["PING"]]
    }

    /// In a few commands, none of which is large.
    private static func commands(_ name: String, _ topics: [RedisTopic]) -> [[String]] {
        var channels: [String] = []
        var patterns: [String] = []
        for topic in topics {
            switch topic {
            case .channel(let name): channels.append(name)
            case .pattern(let glob): patterns.append(glob)
            }
        }
        return lists(channels).map { [name] + $0 } + lists(patterns).map { ["P" + name] + $0 }
    }

    private static func lists(_ names: [String]) -> [ArraySlice<String>] {
        stride(from: 0, to: names.count, by: RedisLimits.topicsPerCommandMax).map {
            names[$0..<min($0 + RedisLimits.topicsPerCommandMax, names.count)]
        }
    }
}
