import Testing
import Transport
import TransportWire

/// What revision 3 has of its own among the session's rules.
extension EngineIOStateMachineTests {
    @Test("L2: in revision 3 the client pings, and has an interval and a timeout for it; a pong of its own is a fault")
    func revision3Heartbeat() {
        run(
            .webSocket, revision: .three,
            [
                Step(499, .tick, []), Step(499, .packet(.ping, from: .webSocket), [.sendPong]),
                Step(990, .packet(.probe, from: .webSocket), [.sendPong]), Step(1_489, .tick, []),
                Step(1_490, .tick, [.closeWebSocket(.pingTimeout), .finish(.pingTimeout)]),
                Step(1_491, .packet(.ping, from: .webSocket), []),
            ])
        run(
            .polling, revision: .three,
            [
                Step(100, .poll(hasOutput: false), [.parkPoll]), Step(400, .post, [.acceptPost]),
                Step(400, .packet(.ping, from: .polling), [.sendPong]), Step(400, .output, [.answerPoll]),
                // Too late by a millisecond, whenever the wheel looks.
                Step(900, .post, [.finish(.pingTimeout), .refuseUnknown]),
            ])
        run(
            .polling, revision: .three,
            [Step(0, .packet(.pong, from: .polling), [.finish(.transportError)])])
    }

    @Test("L3: in revision 3 a POST of bytes is a POST; E21: in revision 4 it is a fault") func octets() {
        run(
            .polling, revision: .three,
            [Step(0, .postBegan, []), Step(1, .postOctets, [.acceptPost]), Step(2, .postBegan, []), Step(3, .postOctets, [.acceptPost])])
        run(.polling, [Step(0, .postBegan, []), Step(1, .postOctets, [.refuse, .finish(.transportError)])])
    }

    @Test("L1, E30: revision 3 moves to a WebSocket in the same way, and a closing session does not pong") func revision3Upgrade() {
        run(
            .polling, revision: .three,
            [
                Step(0, .poll(hasOutput: false), [.parkPoll]), Step(1, .candidateConnected, [.acceptCandidate]),
                Step(2, .packet(.probe, from: .candidate), [.sendProbePong, .answerPollNoop]),
                Step(3, .packet(.upgrade, from: .candidate), [.adoptCandidate]),
                Step(4, .packet(.ping, from: .webSocket), [.sendPong]), Step(5, .post, [.refuseTransport]),
                Step(6, .close(.serverShutdown, discard: false, hasOutput: true), [.flush]), Step(7, .packet(.ping, from: .webSocket), []),
                Step(8, .drained, [.closeWebSocket(.serverShutdown), .finish(.serverShutdown)]),
            ])
    }
}
