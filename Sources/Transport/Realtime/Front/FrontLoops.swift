internal import NIOCore

/// The tables of all event loops of a group. Immutable; each table is touched on its own loop alone.
struct FrontLoops: Sendable {
    private let loops: [ObjectIdentifier: NIOLoopBound<FrontLoop>]

    init(group: any EventLoopGroup, every interval: Duration, tls: TLSIdentity? = nil) async throws {
        var loops: [ObjectIdentifier: NIOLoopBound<FrontLoop>] = [:]
        for eventLoop in group.makeIterator() {
            loops[ObjectIdentifier(eventLoop)] = try await eventLoop.submit {
                let loop = FrontLoop(eventLoop: eventLoop, tls: tls)
                loop.start(every: interval)
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }.get()
        }
        self.loops = loops
    }

    /// The table of the loop that is calling.
    func loop(of eventLoop: any EventLoop) -> FrontLoop? {
        loops[ObjectIdentifier(eventLoop)]?.value
    }

    /// Ends all connections: politely for `grace`, then by force. Returns when the last is gone.
    func shutDown(grace: Duration) async {
        let force = ForcedEnd(loops: Array(loops.values), grace: grace)
        let ends = loops.values.map { bound in
            let promise = bound.eventLoop.makePromise(of: Void.self)
            bound.eventLoop.execute { bound.value.quiesce(promise) }
            return promise.futureResult
        }
        for end in ends { try? await end.get() }
        force.cancel()
        for bound in loops.values { bound.eventLoop.execute { bound.value.stop() } }
    }

    /// Ends all connections by force.
    func closeAll() {
        for bound in loops.values { bound.eventLoop.execute { bound.value.closeAll() } }
    }

    /// Closes what the grace period leaves over.
    private struct ForcedEnd {
        private let tasks: [Scheduled<Void>]

        init(loops: [NIOLoopBound<FrontLoop>], grace: Duration) {
            tasks = loops.map { bound in bound.eventLoop.scheduleTask(in: TimeAmount(grace)) { bound.value.closeAll() } }
        }

        func cancel() {
            for task in tasks { task.cancel() }
        }
    }
}
