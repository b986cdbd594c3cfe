import JSON
import Synchronization
import Testing

@testable import Engine

@Suite("Agent loop: races (property, many runs)")
struct ToolRaceTests {
    /// What one seed does to one run.
    private struct Plan {
        let rounds: [([ModelEvent], PlayedStream.End)]
        let forbidden: Set<String>
        let attacks: [(yields: Int, kind: Int)]
        let onDeny: RunRequest.DenyPolicy
        let tokens: Int
        let slice: Int

        init(_ generator: inout SeededGenerator) {
            rounds = (0..<Int.random(in: 1...5, using: &generator)).map { _ in Self.round(&generator) }
            forbidden = generator.chance(20) ? ["write"] : []
            attacks = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
                (Int.random(in: 0...200, using: &generator), Int.random(in: 0...3, using: &generator))
            }
            onDeny = RunRequest.DenyPolicy.allCases.randomElement(using: &generator) ?? .feedBack
            tokens = generator.chance(30) ? Int.random(in: 0...40, using: &generator) : 1_000
            slice = Int.random(in: 1...8, using: &generator)
        }

        private static func round(_ generator: inout SeededGenerator) -> ([ModelEvent], PlayedStream.End) {
            var events = (0..<Int.random(in: 0...5, using: &generator)).map { ModelEvent.word("w\($0) ") }
            for index in 0..<Int.random(in: 0...3, using: &generator) {
                let name = ["look", "write", "mine", "nope"].randomElement(using: &generator) ?? "look"
                events += [.call(name, "{", index: index, id: "c\(index)"), .arguments("}", index: index)]
            }
            if generator.chance(50) { events.append(.usage(ModelUsage(inputFresh: 7, outputVisible: delivered(events)))) }
            let busy = ProviderError(.status(503), message: "busy", isRetryable: true, mayBeBilled: false)
            return (events, generator.chance(15) ? .fail(busy) : .finish)
        }

        static func delivered(_ events: [ModelEvent]) -> Int {
            events.reduce(0) { sum, event in
                switch event {
                case .delta(let delta): sum + delta.tokens
                case .toolCallDelta(let delta): sum + delta.tokens
                default: sum
                }
            }
        }
    }

    @Test("each lease is settled once, the terminal event tells their sum, and each call has one end, whatever is raced")
    func accounting() async {
        await forSeeds(0..<400) { seed, generator in
            let plan = Plan(&generator)
            let meter = TestMeter(tokens: plan.tokens, slice: plan.slice)
            let yields = Int.random(in: 0...30, using: &generator)
            let gate = TestGate(forbidden: plan.forbidden) { call, told in
                told(.output(.stdout, call.name))
                for _ in 0..<yields where !Task.isCancelled { await Task.yield() }
                return yields % 7 == 3 ? .denied(TestGate.refusal) : ToolAnswer(content: "ok", isError: Task.isCancelled)
            }
            let models = SeveralModels(
                providers: ["demo": RoundsModel(plan.rounds).provider], policies: ["demo": Self.retries])
            let coordinator = RunCoordinator(
                meter: meter, models: models, conversations: MemoryConversationStore(), tools: gate)
            var asked = request("x")
            asked.onClientLoss = .stop(grace: .zero)
            asked.tools = [TestGate.definition("mine", "client")]
            asked.onDeny = plan.onDeny
            guard let handle = await coordinator.start(asked).handle else {
                Issue.record("not started, seed \(seed)")
                return
            }
            await withTaskGroup(of: Void.self) { group in
                for (yields, kind) in plan.attacks {
                    group.addTask {
                        for _ in 0..<yields { await Task.yield() }
                        Self.attack(kind, handle, coordinator)
                    }
                }
            }
            let events = await handle.log.all()
            while coordinator.liveCount > 0 { await Task.yield() }
            check(events, meter, plan, seed)
        }
    }

    /// Repeats without a pause, so that nothing here waits.
    private static let retries: RetryPolicy = {
        var policy = RetryPolicy(retries: 1)
        policy.pause = .zero
        return policy
    }()

    private static func attack(_ kind: Int, _ handle: RunHandle, _ coordinator: RunCoordinator) {
        let run = handle.identity.run
        switch kind {
        case 0: _ = coordinator.cancel(run)
        case 1: _ = coordinator.kill(run)
        case 2: handle.log.subscribe {}?.cancel()
        default: _ = coordinator.cut(run, TestMeter.cut)
        }
    }

    private func check(_ events: [LogEntry], _ meter: TestMeter, _ plan: Plan, _ seed: UInt64) {
        #expect(events.terminals.count == 1 && events.last?.body.outcome != nil, "seed \(seed)")
        #expect(events.map(\.seq) == Array(1...events.count), "seed \(seed)")
        // The test meter cannot tell of a lease that is settled twice: it stops the process.
        #expect(meter.settled.map(\.admission.attempt) == Array(1...max(meter.settled.count, 1)), "seed \(seed)")
        #expect(meter.admissions.count == meter.settled.count, "seed \(seed)")
        #expect(meter.admissions.filter { $0.attempt == 1 }.count == 1, "seed \(seed)")
        let taken = meter.settled.reduce(0) { $0 + $1.taken }
        #expect(taken == meter.settled.reduce(0) { $0 + $1.usage.deliveredTokens }, "seed \(seed)")
        #expect(taken == events.compactMap(\.body.delta).count, "seed \(seed)")
        #expect(meter.left == plan.tokens - taken && meter.left >= 0, "seed \(seed)")
        #expect(events.settled?.outputTokens == meter.settled.reduce(0) { $0 + $1.usage.usage.outputTokens }, "seed \(seed)")
        #expect(events.settled?.inputTokens == meter.settled.reduce(0) { $0 + $1.usage.usage.inputTokens }, "seed \(seed)")
        var ends: [String: Int] = [:]
        for step in events.steps where step.isServerCall {
            let id = step.data["call_id"]?.stringValue ?? ""
            switch step.status {
            case .started: #expect(ends.updateValue(0, forKey: id) == nil, "seed \(seed)")
            case .running: #expect(ends[id] == 0, "seed \(seed)")
            case .completed, .error, .skipped: ends[id, default: 9] += 1
            }
        }
        #expect(ends.values.allSatisfy { $0 == 1 }, "seed \(seed): \(ends)")
    }
}
