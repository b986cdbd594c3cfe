import NIOCore
import Testing
import Transport
import TransportWire

/// The session's rules as tables of events and actions. Pure; time is a number.
@Suite("Engine.IO session rules")
struct EngineIOStateMachineTests {
    /// Milliseconds: ping after 300, timeout after 200, upgrade 1000, close 30000, wheel up to 50 late.
    static let timing = SessionStateMachine.Timing(
        pingInterval: .milliseconds(300), pingTimeout: .milliseconds(200), upgradeTimeout: .milliseconds(1_000),
        closeTimeout: .seconds(30), tolerance: .milliseconds(50))

    struct Step: Sendable {
        let at: Int64
        let event: SessionEvent
        let actions: [SessionAction]

        init(_ at: Int64, _ event: SessionEvent, _ actions: [SessionAction]) {
            self.at = at
            self.event = event
            self.actions = actions
        }
    }

    func run(_ carrier: SessionStateMachine.Carrier, revision: EngineIORevision = .four, _ steps: [Step]) {
        var machine = SessionStateMachine(carrier: carrier, revision: revision, at: .uptimeNanoseconds(0), timing: Self.timing)
        for (index, step) in steps.enumerated() {
            let now = NIODeadline.uptimeNanoseconds(UInt64(step.at) * 1_000_000)
            #expect(machine.handle(step.event, at: now, timing: Self.timing) == step.actions, "step \(index)")
        }
    }

    @Test("E18: one poll is parked and answered when there is output; the next is answered at once") func polls() {
        run(
            .polling,
            [
                Step(0, .poll(hasOutput: true), [.answerPoll]),
                Step(1, .poll(hasOutput: false), [.parkPoll]),
                Step(2, .output, [.answerPoll]),
                Step(3, .output, []),
                Step(4, .poll(hasOutput: true), [.answerPoll]),
            ])
    }

    @Test("E18: a second poll completes the first with a close packet and ends the session") func secondPoll() {
        run(
            .polling,
            [
                Step(0, .poll(hasOutput: false), [.parkPoll]),
                Step(1, .poll(hasOutput: false), [.answerPollClose, .refuse, .finish(.transportError)]),
                Step(2, .poll(hasOutput: false), [.refuseUnknown]),
                Step(3, .post, [.refuseUnknown]),
            ])
    }

    @Test("E19: an abandoned poll ends the session, one that was answered does not") func abandonedPoll() {
        run(
            .polling,
            [
                Step(0, .poll(hasOutput: true), [.answerPoll]),
                Step(1, .pollAbandoned, []),
                Step(2, .poll(hasOutput: false), [.parkPoll]),
                Step(3, .pollAbandoned, [.finish(.transportError)]),
            ])
    }

    @Test("E20: a second POST that begins before the first is whole is refused and ends the session") func overlappingPosts() {
        run(
            .polling,
            [
                Step(0, .postBegan, []),
                Step(1, .post, [.acceptPost]),
                Step(2, .postBegan, []),
                Step(3, .poll(hasOutput: false), [.parkPoll]),
                Step(4, .postBegan, [.answerPollClose, .refuse, .finish(.transportError)]),
                Step(5, .post, [.refuseUnknown]),
                Step(6, .postBegan, [.refuseUnknown]),
            ])
    }

    @Test("E22: a POST that the front refused makes room for the next; one whose client is gone ends the session")
    func abandonedPost() {
        run(
            .polling,
            [
                Step(0, .postAbandoned(isConnectionLost: true), []),
                Step(1, .postBegan, []),
                Step(2, .postAbandoned(isConnectionLost: false), []),
                Step(3, .postBegan, []),
                Step(4, .post, [.acceptPost]),
                Step(5, .postBegan, []),
                Step(6, .postAbandoned(isConnectionLost: true), [.finish(.transportError)]),
            ])
    }

    @Test("E12: the next ping is due an interval after the pong, not after the last ping") func heartbeat() {
        run(
            .webSocket,
            [
                Step(299, .tick, []),
                Step(300, .tick, [.sendPing]),
                Step(450, .packet(.pong, from: .webSocket), []),
                Step(749, .tick, []),
                Step(750, .tick, [.sendPing]),
                Step(949, .tick, []),
                Step(950, .tick, [.closeWebSocket(.pingTimeout), .finish(.pingTimeout)]),
                Step(951, .tick, []),
            ])
    }

    @Test("E13: pongs that nobody asked for change nothing") func extraPongs() {
        run(
            .webSocket,
            [
                Step(100, .packet(.pong, from: .webSocket), []),
                Step(200, .packet(.pong, from: .webSocket), []),
                Step(300, .tick, [.sendPing]),
            ])
    }

    @Test("E14: whoever asks after both deadlines finds the session closed, however late the wheel is") func lazyDeadlines() {
        run(
            .polling,
            [
                Step(320, .tick, [.sendPing]),
                Step(500, .poll(hasOutput: true), [.finish(.pingTimeout), .refuseUnknown]),
            ])
        // A loop that stood still gives its client the whole timeout.
        run(
            .polling,
            [
                Step(400, .tick, [.sendPing]),
                Step(590, .packet(.pong, from: .polling), []),
                Step(889, .tick, []),
            ])
    }

    @Test("E12: a ping that leaves late is answered in time until a whole timeout later") func latePing() {
        run(.webSocket, [Step(340, .tick, [.sendPing]), Step(539, .tick, []), Step(539, .packet(.pong, from: .webSocket), [])])
    }

    @Test("E12: a client's ping is an error in version 4", arguments: [PacketKind.ping, .probe]) func clientPing(_ kind: PacketKind) {
        run(.webSocket, [Step(1, .packet(kind, from: .webSocket), [.closeWebSocket(.transportError), .finish(.transportError)])])
        run(.polling, [Step(1, .packet(kind, from: .polling), [.finish(.transportError)])])
    }

    @Test("E15: a client's close packet answers the parked poll with noop") func clientClose() {
        run(
            .polling,
            [
                Step(0, .poll(hasOutput: false), [.parkPoll]),
                Step(1, .post, [.acceptPost]),
                Step(1, .packet(.close, from: .polling), [.answerPollNoop, .finish(.transportClose)]),
                Step(2, .packet(.message, from: .polling), []),
            ])
        run(.webSocket, [Step(0, .packet(.close, from: .webSocket), [.closeWebSocket(.transportClose), .finish(.transportClose)])])
    }

    @Test("E16: a close by the server sends what waits first") func serverClose() {
        run(
            .webSocket,
            [
                Step(0, .close(.forcedClose, discard: false, hasOutput: true), [.flush]),
                Step(1, .packet(.message, from: .webSocket), []),
                Step(2, .drained, [.closeWebSocket(.forcedClose), .finish(.forcedClose)]),
            ])
        run(
            .webSocket,
            [
                Step(0, .close(.slowConsumer, discard: true, hasOutput: true), [.closeWebSocket(.slowConsumer), .finish(.slowConsumer)])
            ])
    }

    @Test("E16: over polling the close packet waits for a poll, thirty seconds at most") func serverCloseOverPolling() {
        run(
            .polling,
            [
                Step(0, .close(.forcedClose, discard: false, hasOutput: true), []),
                Step(1, .poll(hasOutput: true), [.answerPoll]),
                Step(2, .poll(hasOutput: false), [.answerPollClose, .finish(.forcedClose)]),
            ])
        run(
            .polling,
            [
                Step(0, .poll(hasOutput: false), [.parkPoll]),
                Step(1, .close(.serverShutdown, discard: false, hasOutput: false), [.answerPollClose, .finish(.serverShutdown)]),
            ])
        run(
            .polling,
            [
                Step(0, .close(.forcedClose, discard: false, hasOutput: false), []),
                Step(29_999, .tick, []),
                Step(30_000, .tick, [.finish(.forcedClose)]),
            ])
    }

    @Test("E21, E23: a POST that is no text, and bytes that are no packet, end the session") func badPosts() {
        run(.polling, [Step(0, .postOctets, [.refuse, .finish(.transportError)])])
        run(
            .polling,
            [
                Step(0, .poll(hasOutput: false), [.parkPoll]),
                Step(1, .post, [.acceptPost]),
                Step(1, .undecodable(from: .polling), [.answerPollClose, .finish(.parseError)]),
            ])
        run(.webSocket, [Step(0, .undecodable(from: .webSocket), [.closeWebSocket(.parseError), .finish(.parseError)])])
    }

    @Test("E30, E31: after the probe polls get noop alone, and what waits goes over the WebSocket") func upgrade() {
        run(
            .polling,
            [
                Step(0, .poll(hasOutput: false), [.parkPoll]),
                Step(1, .candidateConnected, [.acceptCandidate]),
                Step(2, .output, [.answerPoll]),
                Step(3, .poll(hasOutput: false), [.parkPoll]),
                Step(4, .packet(.probe, from: .candidate), [.sendProbePong, .answerPollNoop]),
                Step(5, .output, []),
                Step(6, .poll(hasOutput: true), [.answerPollNoop]),
                Step(7, .post, [.acceptPost]),
                Step(7, .packet(.message, from: .polling), [.deliver]),
                Step(8, .packet(.upgrade, from: .candidate), [.adoptCandidate]),
                Step(9, .output, [.flush]),
                Step(10, .packet(.message, from: .webSocket), [.deliver]),
                Step(11, .packet(.message, from: .polling), []),
            ])
    }

    @Test(
        "E30: anything else while probing closes the candidate alone",
        arguments: [
            PacketKind.message, .ping, .pong, .close, .open, .noop, .upgrade,
        ])
    func wrongProbe(_ kind: PacketKind) {
        run(
            .polling,
            [
                Step(0, .candidateConnected, [.acceptCandidate]),
                Step(1, .packet(kind, from: .candidate), [.closeCandidate]),
                Step(2, .poll(hasOutput: true), [.answerPoll]),
                Step(3, .candidateConnected, [.acceptCandidate]),
            ])
    }

    @Test("E30: a candidate has the upgrade timeout, and one that leaves leaves polling as it was") func upgradeTimeout() {
        run(
            .polling,
            [
                Step(0, .candidateConnected, [.acceptCandidate]),
                Step(10, .packet(.probe, from: .candidate), [.sendProbePong]),
                Step(300, .tick, [.sendPing]),
                Step(310, .packet(.pong, from: .polling), []),
                Step(610, .tick, [.sendPing]),
                Step(620, .packet(.pong, from: .polling), []),
                Step(920, .tick, [.sendPing]),
                Step(930, .packet(.pong, from: .polling), []),
                Step(1_000, .tick, [.closeCandidate]),
                Step(1_001, .poll(hasOutput: true), [.answerPoll]),
            ])
        run(
            .polling,
            [
                Step(0, .candidateConnected, [.acceptCandidate]),
                Step(1, .webSocketEnded(.candidate, isError: true), []),
                Step(2, .poll(hasOutput: false), [.parkPoll]),
            ])
    }

    @Test("E32: another WebSocket, and polling after the upgrade, change nothing") func onlyOneWebSocket() {
        run(
            .polling,
            [
                Step(0, .candidateConnected, [.acceptCandidate]),
                Step(1, .candidateConnected, [.dismissCandidate]),
                Step(2, .packet(.probe, from: .candidate), [.sendProbePong]),
                Step(3, .packet(.upgrade, from: .candidate), [.adoptCandidate]),
                Step(4, .candidateConnected, [.dismissCandidate]),
                Step(5, .poll(hasOutput: true), [.refuseTransport]),
                Step(6, .post, [.refuseTransport]),
                Step(7, .packet(.message, from: .webSocket), [.deliver]),
            ])
    }

    @Test("E17: a WebSocket's end is an error or a close") func webSocketEnds() {
        run(
            .webSocket,
            [
                Step(0, .webSocketEnded(.webSocket, isError: false), [.closeWebSocket(.transportClose), .finish(.transportClose)])
            ])
        run(
            .webSocket,
            [
                Step(0, .webSocketEnded(.webSocket, isError: true), [.closeWebSocket(.transportError), .finish(.transportError)])
            ])
    }

    /// Whatever comes in whatever order: one answer for each request, one finish, nothing delivered afterwards.
    @Test("Any order of events: each request has one answer, and the end comes once", arguments: [UInt64(1), 2, 3, 4])
    func anyOrder(_ seed: UInt64) {
        var generator = SplitMix64(state: seed)
        for _ in 0..<2_000 {
            var machine = SessionStateMachine(
                carrier: Bool.random(using: &generator) ? .polling : .webSocket, revision: Bool.random(using: &generator) ? .three : .four,
                at: .uptimeNanoseconds(0), timing: Self.timing)
            var now: UInt64 = 0
            var (requests, answers, finishes) = (0, 0, 0)
            for _ in 0..<40 {
                now += UInt64.random(in: 0...120, using: &generator) * 1_000_000
                let event = Self.events.randomElement(using: &generator) ?? .tick
                switch event {
                case .poll, .post, .postOctets: requests += 1
                default: break
                }
                let wasClosed = machine.isClosed
                let actions = machine.handle(event, at: .uptimeNanoseconds(now), timing: Self.timing)
                // A POST that has begun may be refused now; else its answer is that of the whole.
                if event == .postBegan, actions.contains(where: Self.isRefusal) { requests += 1 }
                for action in actions {
                    #expect(!wasClosed || action == .refuseUnknown || action == .dismissCandidate, "seed \(seed)")
                    switch action {
                    case .answerPoll, .answerPollNoop, .answerPollClose, .refuse, .refuseUnknown, .refuseTransport, .acceptPost:
                        answers += 1
                    case .finish: finishes += 1
                    default: break
                    }
                }
                // The parked request is gone, unless its time was up just before: then it was answered in vain.
                if event == .pollAbandoned { answers = requests }
                #expect(finishes == (machine.isClosed ? 1 : 0), "seed \(seed)")
            }
            // The one that may be left is parked.
            #expect(answers == requests || (!machine.isClosed && answers == requests - 1), "seed \(seed)")
        }
    }

    private static func isRefusal(_ action: SessionAction) -> Bool {
        action == .refuse || action == .refuseUnknown || action == .refuseTransport
    }

    private static let events: [SessionEvent] = [
        .postBegan, .postAbandoned(isConnectionLost: true), .postAbandoned(isConnectionLost: false),
        .poll(hasOutput: true), .poll(hasOutput: false), .pollAbandoned, .post, .postOctets, .packet(.message, from: .polling),
        .packet(.message, from: .webSocket), .packet(.pong, from: .polling), .packet(.pong, from: .webSocket),
        .packet(.close, from: .polling), .packet(.probe, from: .candidate), .packet(.upgrade, from: .candidate),
        .packet(.upgrade, from: .candidate), .packet(.noop, from: .candidate), .undecodable(from: .candidate), .candidateConnected,
        .candidateConnected, .webSocketEnded(.candidate, isError: false), .output, .drained, .tick,
        .close(.forcedClose, discard: false, hasOutput: true),
    ]
}

/// A small seeded generator, for tests that print their seed.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
