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
        Row(
            testDescription: "a tool that waits for approval goes on when it is answered",
            steps: [
                (.begin, [.announce, .callUpstream]), (.toolCalled, []), (.approvalNeeded, []), (.toolAnswered, []),
                (.deltaPaid, [.append]),
            ], state: .streaming),
        Row(
            testDescription: "a run can be ended while it waits for an approval",
            steps: [
                (.begin, [.announce, .callUpstream]), (.approvalNeeded, []), (.endRequested(cut), [.stopUpstream]),
                (.toolAnswered, []),
            ], state: .stopping(cut)),
    ]

    @Test("transition table", arguments: table)
    func transitions(row: Row) {
        var machine = Machine()
        for (event, actions) in row.steps { #expect(machine.handle(event) == actions, "\(event)") }
        #expect(machine.state == row.state)
    }

    @Test("any order of events concludes at most once and settles at most once, and settles before it concludes")
    func anyOrder() async {
        let events: [Machine.Event] = [
            .begin, .deltaPaid, .leaseEmpty, .grant, .toolCalled, .approvalNeeded, .toolAnswered,
            .endRequested(Self.cut), .endRequested(.cancelled), .endRequested(.serverShutdown),
            .upstreamFinished(reason: "stop"), .upstreamFailed(Self.failed), .upstreamStopped, .settled(Self.usage),
            .attemptOpened, .attemptDenied(Self.cut),
        ]
        await forSeeds(0..<2_000) { seed, generator in
            let policy = RetryPolicy(retries: 2, fallbacks: ["b"])
            var machine = Machine(plan: generator.chance(50) ? AttemptPlan(model: "a", policy: policy) : nil)
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
                    case .retry: #expect(!hasAppended, "another attempt after a delta, seed \(seed)")
                    default: break
                    }
                }
            }
            #expect(settles <= 1 && concludes <= 1, "seed \(seed)")
        }
    }
}
