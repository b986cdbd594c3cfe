internal import JSON
internal import Logging
internal import NIOCore
internal import RedisClient
internal import Synchronization
internal import Telemetry
internal import Transport

/// The sockets that may come back, as keys with a time to live.
extension RedisStream {
    func keep(_ session: RecoverySession, _ mode: RecoverySession.Mode) {
        let value = SessionCodec.encode(session, stream: name)
        guard value.count <= StreamLimits.sessionBytesMax else { return metrics.sessionsDropped.add() }
        let isIn = state.withLock { state -> Bool in
            guard let duration = state.settings?.duration.milliseconds else { return true }
            // One that is connected is refreshed at half of the duration: then there is a whole one left whenever its server dies.
            let life = mode == .end ? duration : duration + duration / 2 + 2_000
            return state.sessions.put(
                session.pid, SessionQueue.Write(value: value, milliseconds: life, condition: state.condition(session.pid, mode)))
        }
        if !isIn { metrics.sessionsDropped.add() }
        pump()
    }

    func forget(_ pid: SessionID) {
        let isIn = state.withLock { state in
            state.doubtful.remove(pid)
            return state.sessions.put(pid, SessionQueue.Write(value: nil, milliseconds: 0, condition: .always))
        }
        if !isIn { metrics.sessionsDropped.add() }
        pump()
    }

    private func pump() {
        while let (pid, write) = state.withLock({ $0.sessions.next() }) { submit(pid, write) }
    }

    private func submit(_ pid: SessionID, _ write: SessionQueue.Write) {
        writer.submit(Self.command(pid, write)) { [self] result in
            switch result {
            case .success(let value):
                state.withLock { state in
                    state.sessions.succeeded()
                    if value == .null, write.condition == .ifThere { state.doubt(pid) }
                }
                pump()
                sayFarewell()
            case .failure: failed(pid, write)
            }
        }
    }

    private static func command(_ pid: SessionID, _ write: SessionQueue.Write) -> RedisCommand {
        guard let value = write.value else { return RedisCommand("DEL", SessionCodec.key(pid)) }
        var command = RedisCommand("SET", SessionCodec.key(pid))
        command.append(value)
        command.append("PX")
        command.append(write.milliseconds)
        switch write.condition {
        case .always: break
        case .ifThere: command.append("XX")
        case .ifNotThere: command.append("NX")
        }
        return command
    }

    private func failed(_ pid: SessionID, _ write: SessionQueue.Write) {
        metrics.sessionsFailed.add()
        let stops = state.withLock { $0.sessions.failed(pid, write) }
        sayFarewell()
        guard stops else { return }
        writer.eventLoop.scheduleTask(in: .milliseconds(StreamLimits.sessionRetryMilliseconds)) { [weak self] in
            self?.state.withLock { $0.sessions.resume() }
            self?.pump()
        }
    }

    // MARK: Those who come back

    func find(_ pid: SessionID) async throws(RecoveryStreamFault) -> RecoverySession? {
        // What waits to be kept of it comes first: its connection may have ended just now.
        if let write = state.withLock({ $0.sessions.pull(pid) }) { submit(pid, write) }
        return try await session("GET", pid)
    }

    func take(_ pid: SessionID) async throws(RecoveryStreamFault) -> (session: RecoverySession, place: RecoveryOffset)? {
        guard let session = try await session("GETDEL", pid) else { return nil }
        state.withLock { _ = $0.doubtful.remove(pid) }
        let fields = StreamCodec.fields(of: .taken(String(describing: session.id)))
        let place = await withCheckedContinuation { (continuation: CheckedContinuation<RecoveryOffset?, Never>) in
            let deadline = NIODeadline.now() + .milliseconds(StreamLimits.takeMilliseconds)
            let isSent = send(.awaited(deadline: deadline) { continuation.resume(returning: $0) }, fields)
            if !isSent { continuation.resume(returning: nil) }
        }
        guard let place else {
            keep(session, .create)
            throw RecoveryStreamFault()
        }
        return (session, place)
    }

    private func session(_ word: String, _ pid: SessionID) async throws(RecoveryStreamFault) -> RecoverySession? {
        let reply: RedisValue
        do throws(RedisFault) { reply = try await writer.call(RedisCommand(word, SessionCodec.key(pid))) } catch {
            throw RecoveryStreamFault()
        }
        guard let text = reply.string else { return nil }
        let session = SessionCodec.decode(text, pid: pid, stream: name)
        if session == nil { clusterMetrics.refuse(.shape) }
        return session
    }

    // MARK: The end

    /// Waits until all that is to be kept has left, or for two seconds.
    func farewell() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            state.withLock { $0.farewell = continuation }
            writer.eventLoop.scheduleTask(in: .milliseconds(StreamLimits.farewellMilliseconds)) { self.sayFarewell(always: true) }
            sayFarewell(always: writer.health != .ready)
        }
    }

    private func sayFarewell(always: Bool = false) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard always || state.sessions.isIdle else { return nil }
            defer { state.farewell = nil }
            return state.farewell
        }
        waiting?.resume()
    }
}

extension RedisStream.State {
    fileprivate mutating func condition(_ pid: SessionID, _ mode: RecoverySession.Mode) -> SessionQueue.Condition {
        switch mode {
        case .create:
            doubtful.remove(pid)
            return .always
        case .update: return doubtful.remove(pid) == nil ? .ifThere : .ifNotThere
        case .end:
            doubtful.remove(pid)
            return .ifThere
        }
    }

    /// Redis has lost it, or somebody has taken it and will say so: if nobody has when it is refreshed, it is written anew.
    fileprivate mutating func doubt(_ pid: SessionID) {
        if doubtful.count < StreamLimits.sessionsWaitingMax { doubtful.insert(pid) }
    }
}
