import Engine
import Testing

@Suite("Run state machine (pure)")
struct RunStateMachineTests {
    typealias Machine = RunStateMachine
    private static let cut = RunEnding.cut(TestMeter.cut)
    private static let usage = SettledUsage(inputTokens: 1, outputTokens: 2, costUSD: "0.1")
    private static let failed = ProviderError(.dropped, message: "gone", isRetryable: true, mayBeBilled: true)

    /// Events, and the actions that each of them gives.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [(Machine.Event, [Machine.Action])]
        let state: Machine.State
    }

    static let table: [Row] = [
        Row(
            testDescription: "a run that finishes",
            steps: [
                (.begin, [.announce, .callUpstream]), (.deltaPaid, [.append]),
                (.upstreamFinished(reason: "stop"), [.settle(.complete(finishReason: "stop"))]),
                (.settled(usage), [.conclude(.complete(finishReason: "stop"), usage)]),
            ], state: .ended(.complete(finishReason: "stop"))),
        Row(
            testDescription: "an empty lease pauses reading until the grant",
            steps: [
                (.begin, [.announce, .callUpstream]), (.leaseEmpty, [.awaitGrant]), (.grant, [.append]),
                (.deltaPaid, [.append]),
            ], state: .streaming),
        Row(
            testDescription: "no grant: the upstream is closed first, then settled, then told",
            steps: [
                (.begin, [.announce, .callUpstream]), (.leaseEmpty, [.awaitGrant]),
                (.endRequested(cut), [.stopUpstream]), (.upstreamStopped, [.settle(cut)]),
                (.settled(usage), [.conclude(cut, usage)]),
            ], state: .ended(cut)),
        Row(
            testDescription: "what was paid before the cancel was known is forwarded",
            steps: [
                (.begin, [.announce, .callUpstream]), (.endRequested(.cancelled), [.stopUpstream]),
                (.deltaPaid, [.append]), (.upstreamStopped, [.settle(.cancelled)]),
            ], state: .settling(.cancelled)),
        Row(
            testDescription: "what was not paid when the cancel was known is not",
            steps: [
                (.begin, [.announce, .callUpstream]), (.endRequested(.cancelled), [.stopUpstream]), (.leaseEmpty, []),
            ], state: .stopping(.cancelled)),
        Row(
            testDescription: "the first ending is the one that is told",
            steps: [
                (.begin, [.announce, .callUpstream]), (.endRequested(.cancelled), [.stopUpstream]),
                (.endRequested(cut), []), (.upstreamFailed(failed), [.settle(.cancelled)]), (.endRequested(cut), []),
                (.settled(usage), [.conclude(.cancelled, usage)]), (.settled(usage), []), (.begin, []),
            ], state: .ended(.cancelled)),
        Row(
            testDescription: "a cancel before the start calls nothing upstream",
            steps: [
                (.endRequested(.cancelled), []), (.begin, [.announce, .settle(.cancelled)]),
                (.settled(usage), [.conclude(.cancelled, usage)]),
            ], state: .ended(.cancelled)),
        Row(
            testDescription: "an upstream failure is an error with the upstream's code",
            steps: [
                (.begin, [.announce, .callUpstream]),
                (.upstreamFailed(failed), [.settle(.error(code: "upstream_error", message: "gone"))]),
            ], state: .settling(.error(code: "upstream_error", message: "gone"))),
    ]

    private static let called: [(Machine.Event, [Machine.Action])] = [
        (.begin, [.announce, .callUpstream]), (.deltaPaid, [.append]), (.toolsCalled, [.callTools]),
    ]
    private static let second = AttemptStep(number: 2, model: "a", pause: .zero, isFallback: false)
    private static let third = AttemptStep(number: 3, model: "a", pause: .zero, isFallback: false)
    private static let limit = RunEnding.complete(finishReason: "tool_limit")

    static let rounds: [Row] = [
        Row(
            testDescription: "what the tools answered is read in a next round, which has a lease of its own",
            steps: called + [
                (.toolsAnswered(.goOn), [.openRound(second)]), (.attemptOpened, [.callUpstream]), (.deltaPaid, [.append]),
                (.toolsCalled, [.callTools]), (.toolsAnswered(.goOn), [.openRound(third)]),
            ], state: .waiting(.lease)),
        Row(
            testDescription: "the tools can end the run",
            steps: called + [(.toolsAnswered(.end(limit)), [.settle(limit)]), (.settled(usage), [.conclude(limit, usage)])],
            state: .ended(limit)),
        Row(
            testDescription: "while tools work nothing is read: what is late of an upstream changes nothing",
            steps: called + [(.deltaPaid, []), (.upstreamStopped, []), (.upstreamFinished(reason: "stop"), []), (.leaseEmpty, [])],
            state: .waiting(.tool)),
        Row(
            testDescription: "the run waits for people as long as any call does",
            steps: called + [(.approvalNeeded, []), (.approvalNeeded, []), (.approvalDecided(1), [])], state: .waiting(.approval)),
        Row(
            testDescription: "when the last approval is decided it waits for the tools again",
            steps: called + [(.approvalNeeded, []), (.approvalNeeded, []), (.approvalDecided(2), [])], state: .waiting(.tool)),
        Row(
            testDescription: "an approval that was never decided is none of the next round's",
            steps: called + [
                (.approvalNeeded, []), (.toolsAnswered(.goOn), [.openRound(second)]), (.attemptOpened, [.callUpstream]),
                (.toolsCalled, [.callTools]),
            ], state: .waiting(.tool)),
        Row(
            testDescription: "an end that is asked for while tools work stops them, and is settled when they have stopped",
            steps: called + [
                (.endRequested(cut), [.stopUpstream]), (.approvalNeeded, []), (.toolsAnswered(.end(limit)), [.settle(cut)]),
                (.settled(usage), [.conclude(cut, usage)]),
            ], state: .ended(cut)),
        Row(
            testDescription: "a run can be ended while it waits for an approval",
            steps: called + [
                (.approvalNeeded, []), (.endRequested(.cancelled), [.stopUpstream]), (.toolsAnswered(.goOn), [.settle(.cancelled)]),
            ],
            state: .settling(.cancelled)),
        Row(
            testDescription: "an end that is asked for while the next round is opened calls nothing more",
            steps: called + [
                (.toolsAnswered(.goOn), [.openRound(second)]), (.endRequested(cut), [.stopUpstream]), (.attemptOpened, [.settle(cut)]),
            ], state: .settling(cut)),
        Row(
            testDescription: "an end that was asked for before the answer was done leaves its calls unmade",
            steps: [(.begin, [.announce, .callUpstream]), (.endRequested(cut), [.stopUpstream]), (.toolsCalled, [.settle(cut)])],
            state: .settling(cut)),
        Row(
            testDescription: "a round that no cap allows cuts the run",
            steps: called + [(.toolsAnswered(.goOn), [.openRound(second)]), (.attemptDenied(cut), [.settle(cut)])],
            state: .settling(cut)),
    ]

    @Test("rounds with tools", arguments: rounds)
    func toolRounds(row: Row) {
        var machine = Machine(plan: AttemptPlan(model: "a"))
        for (event, actions) in row.steps { #expect(machine.handle(event) == actions, "\(event)") }
        #expect(machine.state == row.state)
    }

    @Test("each round has its repeats and fallbacks anew, also after tokens of an earlier round; the numbers go on")
    func retriesOfRounds() {
        var machine = Machine(plan: AttemptPlan(model: "a", policy: RetryPolicy(fallbacks: ["b"])))
        let steps = [2, 4].map { AttemptStep(number: $0, model: "b", pause: .zero, isFallback: true) }
        _ = machine.handle(.begin)
        #expect(machine.handle(.upstreamFailed(Self.failed)) == [.retry(steps[0], after: Self.failed)])
        _ = machine.handle(.attemptOpened)
        #expect(machine.handle(.deltaPaid) == [.append])
        #expect(machine.handle(.toolsCalled) == [.callTools])
        #expect(machine.handle(.toolsAnswered(.goOn)) == [.openRound(Self.third)])
        #expect(machine.handle(.attemptOpened) == [.callUpstream])
        #expect(machine.handle(.upstreamFailed(Self.failed)) == [.retry(steps[1], after: Self.failed)])
        #expect(machine.handle(.attemptOpened) == [.callUpstream])
        #expect(machine.handle(.upstreamFailed(Self.failed)) == [.settle(.error(code: "upstream_error", message: "gone"))])
    }

    @Test("transition table", arguments: table)
    func transitions(row: Row) {
        var machine = Machine(plan: AttemptPlan(model: "a"))
        for (event, actions) in row.steps { #expect(machine.handle(event) == actions, "\(event)") }
        #expect(machine.state == row.state)
    }

    @Test("any order of events concludes at most once and settles at most once, and settles before it concludes")
    func anyOrder() async {
        let events: [Machine.Event] = [
            .begin, .deltaPaid, .leaseEmpty, .grant, .toolsCalled, .approvalNeeded, .approvalDecided(1), .toolsAnswered(.goOn),
            .toolsAnswered(.end(Self.limit)),
            .endRequested(Self.cut), .endRequested(.cancelled), .endRequested(.serverShutdown),
            .upstreamFinished(reason: "stop"), .upstreamFailed(Self.failed), .upstreamStopped, .settled(Self.usage),
            .attemptOpened, .attemptDenied(Self.cut),
        ]
        await forSeeds(0..<2_000) { seed, generator in
            let policy = generator.chance(50) ? RetryPolicy(retries: 2, fallbacks: ["b"]) : RetryPolicy()
            var machine = Machine(plan: AttemptPlan(model: "a", policy: policy))
            var number = 1
            var hasAppended = false
            var settles = 0
            var concludes = 0
            for _ in 0..<24 {
                for action in machine.handle(events.randomElement(using: &generator) ?? .begin) {
                    switch action {
                    case .settle:
                        settles += 1
                        #expect(concludes == 0, "seed \(seed)")
                    case .conclude:
                        concludes += 1
                        #expect(settles == 1, "seed \(seed)")
                    case .append:
                        hasAppended = true
                        #expect(settles == 0, "a delta after the settlement, seed \(seed)")
                    case .retry(let step, _):
                        #expect(!hasAppended, "another attempt after a delta, seed \(seed)")
                        number += 1
                        #expect(step.number == number, "seed \(seed)")
                    case .openRound(let step):
                        hasAppended = false
                        number += 1
                        #expect(step.number == number && step.model == "a" && settles == 0, "seed \(seed)")
                    case .callTools: #expect(settles == 0, "tools after the settlement, seed \(seed)")
                    default: break
                    }
                }
            }
            #expect(settles <= 1 && concludes <= 1, "seed \(seed)")
        }
    }
}
