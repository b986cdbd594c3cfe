import EngineProviders
import Testing

@testable import Engine

@Suite("Races (property, many runs at once)")
struct RunRaceTests {
    /// What one seed does to one run.
    private struct Plan {
        let events: [ModelEvent]
        let end: PlayedStream.End
        let yields: Int
        /// Yields before each attack.
        let attacks: [(Int, Attack)]

        enum Attack: CaseIterable { case cancel, kill, clientLost, cut }

        init(_ generator: inout SeededGenerator) {
            let count = Int.random(in: 0...60, using: &generator)
            events = (0..<count).map { number in
                let tokens = Int.random(in: 1...3, using: &generator)
                if number % 7 == 3 {
                    return .toolCallDelta(
                        ToolCallDelta(
                            index: number % 2, id: "c", name: "t", argumentsFragment: "\(number) ", tokens: tokens))
                }
                return .delta(ModelDelta(text: "w\(number) ", tokens: tokens))
            }
            let billed = generator.chance(50)
            end =
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: .finish
                case 1: .fail(ProviderError(.dropped, message: "gone", isRetryable: true, mayBeBilled: billed))
                default: .silence
                }
            yields = Int.random(in: 0...2, using: &generator)
            var attacks: [(Int, Attack)] = []
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let attack = Attack.allCases.randomElement(using: &generator) ?? .cancel
                attacks.append((Int.random(in: 0...120, using: &generator), attack))
            }
            // Nothing else would end a silent run.
            if case .silence = end { attacks.append((Int.random(in: 0...200, using: &generator), .kill)) }
            self.attacks = attacks
        }
    }

    @Test("each run has exactly one terminal event under cancel, disconnect, upstream failure and cut raced (item 6)")
    func exactlyOneTerminal() async {
        await forSeeds(0..<400) { seed, generator in
            let meter = TestMeter(
                tokens: Int.random(in: 0...120, using: &generator), slice: Int.random(in: 1...20, using: &generator))
            let budget = meter.left
            let plan = Plan(&generator)
            let provider = TestProvider { _ in PlayedStream(plan.events, end: plan.end, yields: plan.yields) }
            let coordinator = coordinator(meter, provider)
            var asked = request("x")
            asked.onClientLoss = .stop(grace: .zero)
            guard let handle = await coordinator.start(asked).handle else {
                Issue.record("not started, seed \(seed)")
                return
            }
            await withTaskGroup(of: Void.self) { group in
                for (yields, attack) in plan.attacks {
                    group.addTask {
                        for _ in 0..<yields { await Task.yield() }
                        Self.attack(attack, handle, coordinator)
                    }
                }
            }
            let events = await handle.log.all()
            #expect(events.terminals.count == 1, "seed \(seed)")
            #expect(events.last?.body.outcome != nil, "seed \(seed)")
            #expect(events.map(\.seq) == Array(1...events.count), "seed \(seed)")
            check(meter, plan, events, budget: budget, seed)
            while coordinator.liveCount > 0 { await Task.yield() }
        }
    }

    private static func attack(_ attack: Plan.Attack, _ handle: RunHandle, _ coordinator: RunCoordinator) {
        let run = handle.identity.run
        switch attack {
        case .cancel: _ = coordinator.cancel(run)
        case .kill: _ = coordinator.kill(run)
        case .clientLost: handle.log.subscribe {}?.cancel()
        case .cut: _ = coordinator.cut(run, TestMeter.cut)
        }
    }

    /// Delivered = taken = settled, a prefix of what the model said, within the budget, settled once.
    private func check(_ meter: TestMeter, _ plan: Plan, _ events: [LogEntry], budget: Int, _ seed: UInt64) {
        let deltas = events.compactMap { $0.body.delta?.text }
        var tokens = 0
        for (event, text) in zip(plan.events, deltas) {
            switch event {
            case .delta(let delta):
                #expect(delta.text == text, "seed \(seed)")
                tokens += delta.tokens
            case .toolCallDelta(let delta):
                #expect(delta.argumentsFragment == text, "seed \(seed)")
                tokens += delta.tokens
            default: break
            }
        }
        #expect(deltas.count <= plan.events.count, "seed \(seed)")
        #expect(meter.settled.count == 1, "seed \(seed)")
        #expect(meter.settled.first?.taken == tokens, "seed \(seed)")
        #expect(meter.settled.first?.usage.deliveredTokens == tokens, "seed \(seed)")
        #expect(tokens <= budget, "seed \(seed)")
        #expect(meter.left == budget - tokens, "seed \(seed)")
    }

    @Test("many runs against one cap deliver no token more than it, and leave less than one slice unused")
    func oneCap() async throws {
        let meter = TestMeter(tokens: 5_000, slice: 8)
        let coordinator = coordinator(meter)
        var handles: [RunHandle] = []
        for _ in 0..<100 {
            handles.append(try #require(await coordinator.start(request("@tokens 500\n@rate 0")).handle))
        }
        var delivered = 0
        for handle in handles {
            let events = await handle.log.all()
            #expect(events.terminals.count == 1)
            delivered += events.compactMap(\.body.delta).count
        }
        #expect(delivered == 5_000 - meter.left)
        #expect(meter.settled.map(\.taken).reduce(0, +) == delivered)
        #expect(meter.left < 100 * 8)
    }
}
