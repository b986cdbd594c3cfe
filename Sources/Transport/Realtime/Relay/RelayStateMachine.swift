/// How one request is answered by another node, decided without a channel, a clock or a byte. Pure.
///
/// ```
///   connecting ── connected ─► waiting ── head ─► answering ── end ─► ended
///       │                        ├── 101 ─► switching ── end ─► ended, and two connections that are one pipe
///       └─ no connection         └─ lost, late: the ingress answers, as it does for a session that nobody knows
/// ```
/// Whatever ends it, it ends once, with one outcome.
struct RelayStateMachine: Equatable {
    /// The label of `kdcube_relayed_requests_total`.
    enum Outcome: String, CaseIterable {
        case answered, upgraded
        /// The client went away first.
        case abandoned
        case unreachable, untrusted, lost, timeout, limit
    }

    enum Action: Equatable {
        case sendRequest
        case sendHead, sendBody, sendEnd
        /// The two connections become one.
        case pipe
        /// The peer's connection may carry another request.
        case keepPeer
        case closePeer
        /// Nothing was sent: the ingress answers.
        case fail(RelayFailure)
        /// A part of the answer was sent: it must not look whole.
        case cutClient
        case count(Outcome)
    }

    private enum State: Equatable {
        case connecting, waiting
        case switching
        case answering(keepsPeer: Bool)
        case ended
    }

    private var state = State.connecting
    let isUpgrade: Bool

    init(isUpgrade: Bool) {
        self.isUpgrade = isUpgrade
    }

    var hasEnded: Bool { state == .ended }

    mutating func connected() -> [Action] {
        switch state {
        case .connecting:
            state = .waiting
            return [.sendRequest]
        // The client has gone meanwhile, or the deadline has passed.
        case .waiting, .switching, .answering, .ended: return [.closePeer]
        }
    }

    /// There is no connection that anything could be said on.
    mutating func notConnected(_ why: RelayFailure = .unreachable) -> [Action] {
        guard state == .connecting else { return [] }
        return end(why == .untrusted ? .untrusted : .unreachable, [.fail(why)])
    }

    /// The head of the peer's answer has come.
    mutating func head(status: Int, keepsPeer: Bool) -> [Action] {
        guard state == .waiting else { return lost() }
        if status == 101 {
            // Nobody asked for another protocol: what follows could not be understood.
            guard isUpgrade else { return lost() }
            state = .switching
            return []
        }
        state = .answering(keepsPeer: keepsPeer)
        return [.sendHead]
    }

    mutating func body() -> [Action] {
        switch state {
        case .answering: [.sendBody]
        case .connecting, .waiting, .switching, .ended: lost()
        }
    }

    mutating func end() -> [Action] {
        switch state {
        case .answering(let keepsPeer):
            // The peer first: the answer's end may begin the next request of the client's connection.
            return end(.answered, [keepsPeer ? .keepPeer : .closePeer, .sendEnd])
        case .switching:
            return end(.upgraded, [.pipe])
        case .connecting, .waiting, .ended:
            return lost()
        }
    }

    /// The peer's connection has ended, or brought what is not HTTP.
    mutating func lost() -> [Action] { fail(.lost, .lost) }

    /// The answer, or the next piece of it, is late.
    mutating func late() -> [Action] { fail(.timeout, .timeout) }

    /// The client went away. The peer has to hear of it (E19).
    mutating func clientGone() -> [Action] {
        switch state {
        case .connecting: end(.abandoned, [])
        case .waiting, .switching, .answering: end(.abandoned, [.closePeer])
        case .ended: []
        }
    }

    private mutating func fail(_ outcome: Outcome, _ failure: RelayFailure) -> [Action] {
        switch state {
        case .connecting: end(outcome, [.fail(failure)])
        case .waiting, .switching: end(outcome, [.closePeer, .fail(failure)])
        case .answering: end(outcome, [.closePeer, .cutClient])
        case .ended: []
        }
    }

    private mutating func end(_ outcome: Outcome, _ actions: [Action]) -> [Action] {
        state = .ended
        return [.count(outcome)] + actions
    }
}
