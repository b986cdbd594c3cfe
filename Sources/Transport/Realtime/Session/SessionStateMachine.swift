package import NIOCore
package import TransportWire

/// All rules of an Engine.IO session: `event → [action]` (E9–E32, L2). A plain value without clock, channel or queue;
/// its owner, ``EngineSession``, executes the actions in order.
///
/// The revision is data: in 4 the server pings and waits for pongs, in 3 the client pings and the server waits for that.
///
/// A client that does not poll is held to the nominal deadlines: a ping that the wheel sends late does not move the
/// deadline of its pong, and each request looks at the clock first, so a coarse wheel is exact for whoever asks (E14).
package struct SessionStateMachine: Sendable {
    package struct Timing: Sendable {
        var pingInterval: TimeAmount
        var pingTimeout: TimeAmount
        var upgradeTimeout: TimeAmount
        var closeTimeout: TimeAmount
        /// How late the wheel may come. A ping later than this gives its peer the whole timeout from then on.
        var tolerance: TimeAmount

        package init(
            pingInterval: TimeAmount, pingTimeout: TimeAmount, upgradeTimeout: TimeAmount, closeTimeout: TimeAmount,
            tolerance: TimeAmount
        ) {
            self.pingInterval = pingInterval
            self.pingTimeout = pingTimeout
            self.upgradeTimeout = upgradeTimeout
            self.closeTimeout = closeTimeout
            self.tolerance = tolerance
        }
    }

    package enum Carrier: Sendable, Hashable { case polling, webSocket }

    private enum Phase: Sendable, Hashable {
        case open
        /// What waits is still sent, then the session ends (E16).
        case closing(CloseReason)
        case closed
    }

    private enum Probe: Sendable, Hashable { case none, connected, answered }

    package private(set) var carrier: Carrier
    package let revision: EngineIORevision
    private var phase = Phase.open
    private var probe = Probe.none
    private var isPollParked = false
    /// A POST has begun, and its body is not whole.
    private var isPostInFlight = false
    /// At ``heartbeat`` the peer must have spoken: with the pong for the last ping, or in revision 3 with its next ping.
    /// Otherwise our ping is due then.
    private var awaitsPeer: Bool
    private var heartbeat: NIODeadline
    private var upgradeDeadline = NIODeadline.distantFuture
    private var closeDeadline = NIODeadline.distantFuture

    package init(carrier: Carrier, revision: EngineIORevision = .four, at now: NIODeadline, timing: Timing) {
        self.carrier = carrier
        self.revision = revision
        awaitsPeer = revision == .three
        heartbeat = now + Self.silence(revision, timing)
    }

    /// From the peer's heartbeat to the next deadline: our ping's in revision 4, the peer's own in revision 3 (L2).
    private static func silence(_ revision: EngineIORevision, _ timing: Timing) -> TimeAmount {
        revision == .four ? timing.pingInterval : timing.pingInterval + timing.pingTimeout
    }

    package var isOpen: Bool { phase == .open }
    package var isClosed: Bool { phase == .closed }

    /// True when a message over the WebSocket concerns no rule: the path of nearly all packets, without an event.
    package var deliversFromWebSocket: Bool { carrier == .webSocket && phase == .open }

    /// When ``SessionEvent/tick`` is wanted at the latest.
    package var deadline: NIODeadline {
        switch phase {
        case .open: min(heartbeat, upgradeDeadline)
        case .closing: closeDeadline
        case .closed: .distantFuture
        }
    }

    package mutating func handle(_ event: SessionEvent, at now: NIODeadline, timing: Timing) -> [SessionAction] {
        let overdue = deadline <= now ? expire(at: now, timing) : []
        let actions = act(on: event, at: now, timing)
        assert(!isPollParked || (carrier == .polling && phase != .closed), "a poll stays parked")
        return overdue.isEmpty ? actions : overdue + actions
    }

    private mutating func act(on event: SessionEvent, at now: NIODeadline, _ timing: Timing) -> [SessionAction] {
        switch event {
        case .poll(let hasOutput): return poll(hasOutput)
        case .pollAbandoned:
            guard isPollParked else { return [] }
            isPollParked = false
            return end(.transportError)
        case .postBegan: return beginPost()
        case .postAbandoned(let isConnectionLost):
            guard isPostInFlight else { return [] }
            isPostInFlight = false
            // What the client had sent is lost, and it cannot know: the packets would have a gap.
            return isConnectionLost && phase != .closed && carrier == .polling ? end(.transportError) : []
        case .post:
            isPostInFlight = false
            return admitPost() ?? [.acceptPost]
        case .postOctets:
            isPostInFlight = false
            return admitPost() ?? (revision == .three ? [.acceptPost] : end(.transportError, answering: .refuse))
        case .packet(let kind, .candidate): return candidatePacket(kind)
        case .packet(let kind, let source): return packet(kind, source, at: now, timing)
        case .undecodable(.candidate): return dropCandidate()
        case .undecodable(let source):
            return isCurrent(source) && phase != .closed ? end(.parseError) : []
        case .candidateConnected: return candidateConnected(at: now, timing)
        case .webSocketEnded(.candidate, _):
            guard probe != .none else { return [] }
            return resumePolling([])
        case .webSocketEnded(_, let isError):
            guard carrier == .webSocket, phase != .closed else { return [] }
            return end(isError ? .transportError : .transportClose)
        case .output: return output()
        case .drained:
            guard case .closing(let reason) = phase, carrier == .webSocket else { return [] }
            return end(reason)
        case .tick: return []
        case .close(let reason, let discard, let hasOutput):
            return close(reason, discard: discard, hasOutput: hasOutput, at: now, timing)
        }
    }

    // MARK: Polling

    private mutating func poll(_ hasOutput: Bool) -> [SessionAction] {
        guard phase != .closed else { return [.refuseUnknown] }
        guard carrier == .polling else { return [.refuseTransport] }
        // Two polls at once: the peer has lost its way, and answers could overtake each other (E18).
        guard !isPollParked else { return end(.transportError, answering: .refuse) }
        if case .closing(let reason) = phase, !hasOutput {
            isPollParked = true
            return end(reason)
        }
        if probe == .answered { return [.answerPollNoop] }
        if hasOutput { return [.answerPoll] }
        isPollParked = true
        return [.parkPoll]
    }

    /// Two POSTs at once: nobody could say which one's packets come first (E20).
    private mutating func beginPost() -> [SessionAction] {
        if let refusal = admitPost() { return refusal }
        guard !isPostInFlight else { return end(.transportError, answering: .refuse) }
        isPostInFlight = true
        return []
    }

    /// Nil when the session takes a POST.
    private func admitPost() -> [SessionAction]? {
        switch (phase, carrier) {
        case (.closed, _): [.refuseUnknown]
        case (_, .webSocket): [.refuseTransport]
        default: nil
        }
    }

    private mutating func output() -> [SessionAction] {
        guard phase != .closed else { return [] }
        switch carrier {
        case .webSocket: return [.flush]
        case .polling:
            // After the probe's answer everything waits for the new transport, so that order holds (E31).
            guard isPollParked, probe != .answered else { return [] }
            isPollParked = false
            return [.answerPoll]
        }
    }

    // MARK: Packets

    private func isCurrent(_ source: PacketSource) -> Bool {
        source == (carrier == .polling ? .polling : .webSocket)
    }

    private mutating func packet(
        _ kind: PacketKind, _ source: PacketSource, at now: NIODeadline, _ timing: Timing
    ) -> [SessionAction] {
        guard phase != .closed, isCurrent(source) else { return [] }
        switch kind {
        case .message: return phase == .open ? [.deliver] : []
        case .pong where revision == .four:
            // A pong that nobody asked for changes nothing (E13).
            if awaitsPeer, phase == .open {
                awaitsPeer = false
                heartbeat = now + Self.silence(revision, timing)
            }
            return []
        case .ping where revision == .three, .probe where revision == .three:
            guard phase == .open else { return [] }
            heartbeat = now + Self.silence(revision, timing)
            return [.sendPong]
        case .close: return end(.transportClose, pollAnswer: .answerPollNoop)
        // The other side's part of the heartbeat (E12, L2).
        case .ping, .probe, .pong: return end(.transportError)
        case .open, .upgrade, .noop: return []
        }
    }

    // MARK: Upgrade

    private mutating func candidateConnected(at now: NIODeadline, _ timing: Timing) -> [SessionAction] {
        guard phase == .open, carrier == .polling, probe == .none else { return [.dismissCandidate] }
        probe = .connected
        upgradeDeadline = now + timing.upgradeTimeout
        return [.acceptCandidate]
    }

    private mutating func candidatePacket(_ kind: PacketKind) -> [SessionAction] {
        guard probe != .none, phase != .closed else { return [] }
        switch (kind, probe) {
        case (.probe, _):
            probe = .answered
            guard isPollParked else { return [.sendProbePong] }
            isPollParked = false
            return [.sendProbePong, .answerPollNoop]
        case (.upgrade, .answered) where phase == .open:
            probe = .none
            upgradeDeadline = .distantFuture
            carrier = .webSocket
            return [.adoptCandidate]
        default:
            return dropCandidate()
        }
    }

    private mutating func dropCandidate() -> [SessionAction] {
        probe == .none ? [] : resumePolling([.closeCandidate])
    }

    /// The session stays on polling, and what waited for the new transport goes out with the next poll.
    private mutating func resumePolling(_ actions: [SessionAction]) -> [SessionAction] {
        probe = .none
        upgradeDeadline = .distantFuture
        return actions
    }

    // MARK: Time and end

    private mutating func expire(at now: NIODeadline, _ timing: Timing) -> [SessionAction] {
        if case .closing(let reason) = phase { return end(reason) }
        guard phase == .open else { return [] }
        var actions = upgradeDeadline <= now ? dropCandidate() : []
        guard heartbeat <= now else { return actions }
        guard !awaitsPeer else { return actions + end(.pingTimeout) }
        awaitsPeer = true
        // A ping that leaves now is answered from now on; one that no poll collects counts from when it was due.
        let counts = carrier == .webSocket || isPollParked || now - heartbeat > timing.tolerance
        heartbeat = (counts ? now : heartbeat) + timing.pingTimeout
        actions.append(.sendPing)
        // Both deadlines may have passed since anybody looked.
        return heartbeat <= now ? actions + end(.pingTimeout) : actions
    }

    private mutating func close(
        _ reason: CloseReason, discard: Bool, hasOutput: Bool, at now: NIODeadline, _ timing: Timing
    ) -> [SessionAction] {
        guard phase != .closed else { return [] }
        if discard { return end(reason) }
        guard phase == .open else { return [] }
        // Over polling the close packet needs a poll to travel with (E16).
        if carrier == .webSocket ? !hasOutput : (isPollParked && !hasOutput) { return end(reason) }
        phase = .closing(reason)
        closeDeadline = now + timing.closeTimeout
        let actions = probe == .none ? [] : resumePolling([.closeCandidate])
        return actions + output()
    }

    /// Ends the session at once. A parked poll is answered with `pollAnswer`, the arriving request with `answering`.
    private mutating func end(
        _ reason: CloseReason, pollAnswer: SessionAction = .answerPollClose, answering request: SessionAction? = nil
    ) -> [SessionAction] {
        var actions: [SessionAction] = []
        if isPollParked {
            isPollParked = false
            actions.append(pollAnswer)
        }
        if probe != .none { actions += resumePolling([.closeCandidate]) }
        if carrier == .webSocket { actions.append(.closeWebSocket(reason)) }
        if let request { actions.append(request) }
        phase = .closed
        actions.append(.finish(reason))
        return actions
    }
}
