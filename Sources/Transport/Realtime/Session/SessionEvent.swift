/// Where a packet of a session came from.
package enum PacketSource: Sendable, Hashable {
    case polling
    /// The WebSocket that carries the session.
    case webSocket
    /// The WebSocket that probes for an upgrade (E30).
    case candidate
}

/// An Engine.IO packet as the rules see it: its type, not its data (E11).
package enum PacketKind: Sendable, Hashable {
    case open, close, ping, probe, pong, message, upgrade, noop
}

/// What happens to a session. The loop's clock comes with each event.
package enum SessionEvent: Sendable, Hashable {
    /// A GET. `hasOutput`: packets are waiting.
    case poll(hasOutput: Bool)
    /// The peer of the parked GET went away before the answer (E19).
    case pollAbandoned
    /// The head of a POST (E20).
    case postBegan
    /// A POST whose body never became whole. `isConnectionLost`: its peer is gone; else the front has refused it (E22).
    case postAbandoned(isConnectionLost: Bool)
    /// A POST, before its packets.
    case post
    /// A POST of `application/octet-stream`: revision 3's byte form, which revision 4 does not have (E21, L3).
    case postOctets
    case packet(PacketKind, from: PacketSource)
    /// Bytes that are no packet (E23).
    case undecodable(from: PacketSource)
    /// A second WebSocket for the session (E30, E32).
    case candidateConnected
    /// A WebSocket that ended; `isError`: it broke the WebSocket protocol or its connection broke.
    case webSocketEnded(PacketSource, isError: Bool)
    /// Packets wait to be sent.
    case output
    /// No packet waits any more.
    case drained
    /// Time has passed.
    case tick
    /// The server ends the session (E16). `discard`: without sending what waits.
    case close(CloseReason, discard: Bool, hasOutput: Bool)
}

/// What to do about an event, in order. Every event that brings a request leads to exactly one answer of it.
package enum SessionAction: Sendable, Hashable {
    case parkPoll
    /// Answers the GET with the packets that wait.
    case answerPoll
    /// Answers the GET with `6`.
    case answerPollNoop
    /// Answers the GET with `1`.
    case answerPollClose
    /// Answers the arriving GET or POST with 400 and no body (E18).
    case refuse
    /// Answers the arriving GET or POST with 400 code 1: the session is no more.
    case refuseUnknown
    /// Answers the arriving GET or POST with 400 code 3: the session is on a WebSocket (E32).
    case refuseTransport
    /// Lets the packets of the POST be handled.
    case acceptPost
    /// Gives the message to the application.
    case deliver
    case sendPing
    /// Answers the peer's ping (L2).
    case sendPong
    case acceptCandidate
    /// Closes the WebSocket that just connected; nothing else changes (E32).
    case dismissCandidate
    case sendProbePong
    /// Closes the probing WebSocket; the session stays on polling.
    case closeCandidate
    /// Makes the candidate the carrier and sends what waits over it (E30).
    case adoptCandidate
    /// Sends what waits over the WebSocket.
    case flush
    /// Sends a close frame after everything else.
    case closeWebSocket(CloseReason)
    /// The session is over: tell the application, forget the id.
    case finish(CloseReason)
}
