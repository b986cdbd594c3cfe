internal import JSON
internal import Logging
internal import NIOCore
internal import RedisClient
internal import Synchronization
internal import Telemetry
internal import Transport

/// What all servers have sent, in the order of the stream.
extension RedisStream {
    /// Reads until the connection is closed for good. After a fault it looks whether the stream is what it was, and goes on.
    func readAlong(_ settings: Settings) async {
        var position: StreamPosition?
        var incarnation = ""
        var isSure = false
        while !Task.isCancelled {
            do throws(RedisFault) {
                guard reader.health == .ready else { throw .unreachable("not connected") }
                let isOther = !incarnation.isEmpty && reader.incarnation != incarnation
                var current: StreamPosition
                if let position, isSure, !isOther {
                    current = position
                } else {
                    current = try await look(position, isOther: isOther, settings)
                }
                (position, incarnation, isSure) = (current, reader.incarnation, true)
                keepPromises()
                let entries = StreamEntry.read(try await reader.call(command(after: current.last)))
                if let last = entries.last?.id { current.last = last }
                position = current
                take(entries, settings)
            } catch {
                if isSure, case .server(let refusal) = error {
                    logger.error("the cluster's stream cannot be read", metadata: ["reason": "\(refusal.code) \(refusal.message)"])
                }
                isSure = false
                metrics.ready.set(0)
                for follower in state.withLock({ $0.pending.takeFollowers() }) { follower() }
                expireAwaited()
                try? await Task.sleep(for: .milliseconds(StreamLimits.pauseMilliseconds))
            }
        }
    }

    private func command(after place: RecoveryOffset) -> RedisCommand {
        RedisCommand(
            "XREAD", "COUNT", String(StreamLimits.readCount), "BLOCK", String(StreamLimits.blockMilliseconds), "STREAMS", name,
            place.entryID)
    }

    /// What is owed to the stream, and to those who wait.
    private func keepPromises() {
        let (startsAgain, owes) = state.withLock { state in
            let starts = state.pending.numbers { if case .mark(.start) = $0 { true } else { false } }
            return (!state.isLive && starts.isEmpty && state.phase == .on, state.owesGap)
        }
        guard writer.health == .ready else { return expireAwaited() }
        if startsAgain { sendMark(.start) }
        if owes {
            state.withLock { $0.owesGap = false }
            sendMark(.gap)
        }
        expireAwaited()
        metrics.ready.set(isReady ? 1 : 0)
    }

    private func expireAwaited() {
        let now = NIODeadline.now()
        let late = state.withLock { state in
            state.pending.numbers { if case .awaited(let deadline, _) = $0 { deadline <= now } else { false } }
        }
        for number in late { failed(number) }
    }

    // MARK: The place

    /// - Parameter isOther: another Redis, or the same after it was started anew, may have lost the end of what it had.
    private func look(_ position: StreamPosition?, isOther: Bool, _ settings: Settings) async throws(RedisFault) -> StreamPosition {
        let extent = try await extent()
        guard var position else {
            let begin = StreamPosition.begin(extent, retention: UInt64(clamping: settings.retention.milliseconds))
            settings.receiver([.begins(begin.last)])
            return begin
        }
        switch position.look(at: extent) {
        case .isBehind(let next):
            logger.warning("the cluster's stream has lost its end; whoever was away meanwhile gets a new socket")
            let fields = StreamCodec.fields(of: .gap)
            do throws(RedisFault) {
                _ = try await reader.call(Self.add(fields, to: name, uid, entriesMax, id: next.entryID))
            } catch {
                // Another server was faster.
                guard case .server = error else { throw error }
            }
        case .isAhead(let place):
            logger.warning("the cluster's stream was read too slowly; whoever was away meanwhile gets a new socket")
            settings.receiver([.gap(place)])
            position.last = place
        case .goesOn: if isOther { state.withLock { $0.owesGap = true } }
        }
        return position
    }

    private func extent() async throws(RedisFault) -> StreamPosition.Extent? {
        do throws(RedisFault) {
            return StreamPosition.Extent(try await reader.call(RedisCommand("XINFO", "STREAM", name)))
        } catch {
            if case .server(let refusal) = error, refusal.message.contains("no such key") { return nil }
            throw error
        }
    }

    // MARK: Entries

    private func take(_ entries: [StreamEntry], _ settings: Settings) {
        guard !entries.isEmpty else { return }
        metrics.read.add(Int64(entries.count))
        var readings: [RecoveryReading] = []
        readings.reserveCapacity(entries.count)
        var after: [@Sendable () -> Void] = []
        for entry in entries {
            if let number = StreamCodec.number(of: entry, uid: uid) {
                readings.append(own(entry.id, number, &after))
            } else {
                readings.append(other(entry))
            }
        }
        settings.receiver(readings)
        // What waits for these to have been handed over.
        for body in after { body() }
    }

    private func own(_ id: RecoveryOffset, _ number: UInt64, _ after: inout [@Sendable () -> Void]) -> RecoveryReading {
        let settled = state.withLock { state in
            let settled = state.pending.settle(number)
            if case .mark(.start)? = settled?.item { state.isLive = true }
            return settled
        }
        // It was given up as failed: a gap is written.
        guard let settled else { return .passed(id) }
        after += settled.followers
        switch settled.item {
        case .command(let command, let namespace): return .command(command, namespace: namespace, id, isLive: true)
        case .mark(.gap): return .gap(id)
        case .mark(.lost(let target, let namespace)): return .lost(target, namespace: namespace, id)
        case .mark: return .passed(id)
        case .awaited(_, let done):
            after.append { done(id) }
            return .passed(id)
        }
    }

    private func other(_ entry: StreamEntry) -> RecoveryReading {
        do throws(ClusterRefusal) {
            switch try StreamCodec.message(of: entry) {
            case .command(let command, let namespace):
                return .command(command, namespace: namespace, entry.id, isLive: state.withLock { $0.isLive })
            case .mark(.gap): return .gap(entry.id)
            case .mark(.lost(let target, let namespace)): return .lost(target, namespace: namespace, entry.id)
            case .mark(.taken(let id)): return SessionID(id).map { .taken($0, entry.id) } ?? .passed(entry.id)
            case .mark(.start), .other: return .passed(entry.id)
            }
        } catch {
            clusterMetrics.refuse(error)
            return .passed(entry.id)
        }
    }
}
