internal import NIOCore

/// The end of a server that has clients (attack 29): one after the other, in no order that anybody chose.
extension EngineServer {
    /// Closes the sessions so that their clients connect elsewhere. When it returns none is open but those that came in at the very beginning;
    /// ``shutdown(_:)`` is for them. Cancelled, it closes all at once.
    ///
    /// - Parameter sparesBusy: asked before each step; while it says yes, a session that is being sent something long
    ///   (``SessionDelegate/isBusy``) stays. After the first no they have ``DrainSchedule/lastRead`` for what there is
    ///   still to read, and then go as the others do, in a window of their own.
    package func drain(_ policy: DrainPolicy, sparesBusy: @escaping @Sendable () -> Bool) async {
        refuseSessions()
        var spares = sparesBusy()
        var lastRead: NIODeadline?
        var schedule = DrainSchedule(policy, at: .now())
        var waiting = sessions().shuffled()
        var busy: [SessionRegistry.Entry] = []
        while !waiting.isEmpty || !busy.isEmpty {
            if Task.isCancelled { return await shutdown(.serverShutdown) }
            if spares, lastRead == nil, !sparesBusy() { lastRead = .now() + DrainSchedule.lastRead }
            if let end = lastRead, spares, .now() >= end {
                spares = false
                waiting = (waiting + busy).shuffled()
                busy = []
                schedule = DrainSchedule(policy, at: .now())
            }
            let due = schedule.due(at: .now(), waiting: waiting.count)
            let chosen = waiting.suffix(due)
            waiting.removeLast(due)
            if !chosen.isEmpty { busy += await close(Array(chosen), sparing: spares) }
            if waiting.isEmpty {
                guard !busy.isEmpty else { break }
                // Their turn comes when they are done: that is looked for less often.
                (waiting, busy) = (busy.shuffled(), [])
                await pause(DrainSchedule.tick * 10)
            } else {
                await pause(DrainSchedule.tick)
            }
        }
        await seeOut()
    }

    /// Polling clients fetch the news with their next request.
    private func seeOut() async {
        for _ in 0..<100 where hasSessions && !Task.isCancelled { await pause(DrainSchedule.tick) }
    }

    private func pause(_ time: TimeAmount) async { try? await Task.sleep(for: .nanoseconds(time.nanoseconds)) }

    /// One hop a loop.
    ///
    /// - Returns: those that were spared.
    private func close(_ entries: [SessionRegistry.Entry], sparing: Bool) async -> [SessionRegistry.Entry] {
        let parts = Dictionary(grouping: entries) { ObjectIdentifier($0.eventLoop) }.values.map { part in
            part[0].eventLoop.submit { part.filter { !$0.session.value.drain(sparing: sparing) } }
        }
        var spared: [SessionRegistry.Entry] = []
        for part in parts { spared += (try? await part.get()) ?? [] }
        return spared
    }
}

extension EngineSession {
    /// - Returns: false when the session is busy and stays.
    fileprivate func drain(sparing: Bool) -> Bool {
        guard isOpen else { return true }
        if sparing, isBusy { return false }
        close(.serverShutdown)
        return true
    }
}
