internal import JSON
internal import RedisClient
internal import Synchronization
internal import Telemetry
public import Transport

/// The servers that were alive once, so that one that stopped is known by its id. Bounded: the oldest are forgotten.
struct ClusterSeen: Sendable {
    private var uids: [String] = []

    /// Those that are no longer among `alive`.
    mutating func down(alive: Set<String>) -> [String] {
        uids += alive.subtracting(uids)
        if uids.count > ClusterLimits.downMax { uids.removeFirst(uids.count - ClusterLimits.downMax) }
        return uids.filter { !alive.contains($0) }
    }
}

extension RedisCluster {
    /// Asks every other server that is known and puts their answers together.
    public func ask(_ question: ClusterQuestion, namespace: String, timeout: Duration) async -> ClusterAnswers {
        let kind: ClusterInquiry.Kind
        let body: ClusterRequest.Body
        switch question {
        case .emit(let event, let arguments, let target, let flags):
            guard target.rooms != [] else { return ClusterAnswers() }
            (kind, body) = (.emit, .broadcast(event, arguments, target, flags, milliseconds: timeout.milliseconds))
        case .fetchSockets(let target):
            guard target.rooms != [] else { return ClusterAnswers() }
            (kind, body) = (.fetch, .fetch(target))
        case .serverSideEmit(let event, let arguments): (kind, body) = (.serverSideEmit, .serverSideEmit(event, arguments))
        }
        var answers = await ask(kind, body, namespace: namespace, until: .now + timeout)
        if answers.missing > 0 { metrics.partialAnswers.add() }
        if kind == .fetch { answers.values = [] }
        return answers
    }

    private func ask(
        _ kind: ClusterInquiry.Kind, _ body: ClusterRequest.Body, namespace: String, until deadline: ContinuousClock.Instant
    ) async -> ClusterAnswers {
        let id = newID()
        let (done, ending) = AsyncStream.makeStream(of: Never.self)
        let isIn = inquiries.withLock { inquiries in
            guard inquiries.count < ClusterLimits.questionsMax else { return false }
            inquiries[id] = Waiting(inquiry: ClusterInquiry(kind), done: ending)
            return true
        }
        guard isIn else { return ClusterAnswers(missing: 1) }
        let request = ClusterEncoder.request(ClusterRequest(uid: uid, id: id, body: body), namespace: namespace)
        // Both are on their way at once: whoever subscribes in between is not waited for.
        async let others = countOthers(namespace)
        publish(request, to: channels.request(namespace)) { ending.finish() }
        if let others = await others {
            update(id) { $0.count(others) }
            await wait(for: id, done, namespace: namespace, until: deadline)
        }
        let last = inquiries.withLock { $0.removeValue(forKey: id) }
        return last?.inquiry.answers ?? ClusterAnswers(missing: 1)
    }

    /// Until all have answered, the time is over, the message could not be sent, or the task is cancelled.
    private func wait(for id: String, _ done: AsyncStream<Never>, namespace: String, until deadline: ContinuousClock.Instant) async {
        await withTaskGroup { group in
            group.addTask { for await _ in done {} }
            group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
            group.addTask {
                while (try? await Task.sleep(for: .milliseconds(ClusterLimits.recountMilliseconds))) != nil {
                    if let others = await self.countOthers(namespace) { self.update(id) { $0.count(others) } }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func update(_ id: String, _ change: (inout ClusterInquiry) -> Void) {
        inquiries.withLock { inquiries in
            guard var waiting = inquiries[id] else { return }
            change(&waiting.inquiry)
            inquiries[id] = waiting
            if waiting.inquiry.isComplete { waiting.done.finish() }
        }
    }

    /// An answer of another server. One that nobody waits for, or no longer, is ignored.
    func answered(_ response: ClusterResponse, bytes: Int) { update(response.id) { $0.receive(response.body, bytes: bytes) } }

    /// How many other servers listen to requests in the namespace; nil when Redis does not say.
    ///
    /// A server that has stopped without a word is counted by Redis as long as its connection is. If the roll says that it is down,
    /// the channel that it alone listens to tells whether it is counted.
    private func countOthers(_ namespace: String) async -> Int? {
        let request = channels.request(namespace)
        let down = configuration.roll.map { roll in seen.withLock { $0.down(alive: roll.uids) } } ?? []
        var command = RedisCommand("PUBSUB", "NUMSUB", request)
        for uid in down where uid != self.uid { command.append(channels.response(namespace, to: uid)) }
        let isCounted = subscriber.listens(to: .channel(request))
        guard let pairs = try? await publisher.call(command).elements else { return nil }
        let counts = stride(from: 1, to: pairs.count, by: 2).map { Int(clamping: pairs[$0].number ?? 0) }
        guard let all = counts.first else { return nil }
        let others = max(0, all - (isCounted ? 1 : 0) - counts.dropFirst().reduce(0) { $0 + min($1, 1) })
        // A node of a Redis Cluster counts its own connections alone.
        guard publisher.isCluster, let roll = configuration.roll else { return others }
        return max(others, roll.uids.subtracting([uid]).count)
    }

    private func newID() -> String {
        let id = UInt64.random(in: .min ... .max)
        return String(id, radix: 36)
    }
}

extension Duration {
    /// Rounded down; durations here are bounded.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds.multipliedReportingOverflow(by: 1_000).partialValue + attoseconds / 1_000_000_000_000_000
    }
}
