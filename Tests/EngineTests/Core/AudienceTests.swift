import EngineProviders
import Testing

@testable import Engine

@Suite("Disconnect policy: stop or drain (metering.md §2, complaints 10 to 14)")
struct AudienceTests {
    @Test("the grace begins when the last reader leaves, and ends with the next one")
    func graces() throws {
        var audience = Audience(.stop(grace: .seconds(30)))
        #expect(audience.begin()?.length == .seconds(30))
        #expect(audience.changed(readers: 1, version: 1) == nil)
        #expect(audience.changed(readers: 2, version: 2) == nil)
        #expect(audience.changed(readers: 1, version: 3) == nil)
        let third = audience.changed(readers: 0, version: 4)
        let first = try #require(third)
        #expect(audience.isOver(first.number))
        #expect(audience.changed(readers: 1, version: 5) == nil)
        #expect(!audience.isOver(first.number))
        let sixth = audience.changed(readers: 0, version: 6)
        let second = try #require(sixth)
        #expect(!audience.isOver(first.number) && audience.isOver(second.number))
    }

    @Test("a change that is heard of late changes nothing")
    func outOfOrder() {
        var audience = Audience(.stop(grace: .zero))
        #expect(audience.changed(readers: 1, version: 4) == nil)
        #expect(audience.changed(readers: 0, version: 3) == nil)
        #expect(audience.changed(readers: 0, version: 5)?.length == .zero)
    }

    @Test("a policy of drain has no grace, and a first reader is given a moment even where the grace is none")
    func policies() {
        var drain = Audience(.drain)
        #expect(drain.begin() == nil && drain.changed(readers: 1, version: 1) == nil && drain.changed(readers: 0, version: 2) == nil)
        var stop = Audience(.stop(grace: .zero))
        #expect(stop.begin()?.length == EngineLimits.firstReaderGrace)
    }

    private struct Rig {
        let clock = ManualClock()
        let meter = TestMeter()
        let coordinator: RunCoordinator

        init(_ metering: ModelMetering = ModelMetering()) {
            let provider = TestProvider { _ in PlayedStream([.delta(ModelDelta(text: "one", tokens: 1))], end: .silence) }
            coordinator = RunCoordinator(
                meter: meter, models: SeveralModels(providers: ["demo": provider], meterings: ["demo": metering]),
                conversations: MemoryConversationStore(), clock: clock)
        }

        func start(_ policy: RunRequest.ClientLossPolicy) async throws -> RunHandle {
            var asked = request("x")
            asked.onClientLoss = policy
            let handle = try #require(await coordinator.start(asked).handle)
            while handle.log.lastSeq < 3 { await Task.yield() }
            return handle
        }

        func isLost(_ handle: RunHandle) async -> Bool {
            guard case .complete("one", "client_lost", let settled)? = await handle.log.all().last?.body else { return false }
            return settled.outputTokens == 1
        }
    }

    @Test("stop: the run ends when nobody came back within the grace, with what was delivered charged (complaint 17)")
    func stops() async throws {
        let rig = Rig()
        let handle = try await rig.start(.stop(grace: .seconds(30)))
        let reader = try #require(handle.log.subscribe {})
        rig.clock.advance(by: .seconds(40))
        for _ in 0..<50 { await Task.yield() }
        #expect(handle.outcome == nil, "a reader is there")
        reader.cancel()
        while rig.clock.sleepers == 0 { await Task.yield() }
        rig.clock.advance(by: .seconds(29))
        for _ in 0..<50 { await Task.yield() }
        #expect(handle.outcome == nil)
        rig.clock.advance(by: .seconds(1))
        while handle.outcome == nil { await Task.yield() }
        #expect(await rig.isLost(handle))
        #expect(rig.meter.settled.first?.usage.evidence == .counted)
    }

    @Test("a reader that resumes within the grace keeps the run; its own leaving begins another")
    func resumes() async throws {
        let rig = Rig()
        let handle = try await rig.start(.stop(grace: .seconds(30)))
        handle.log.subscribe {}?.cancel()
        while rig.clock.sleepers < 2 { await Task.yield() }
        rig.clock.advance(by: .seconds(29))
        let resumed = try #require(handle.log.subscribe {})
        rig.clock.advance(by: .seconds(60))
        for _ in 0..<50 { await Task.yield() }
        #expect(handle.outcome == nil)
        resumed.cancel()
        while rig.clock.sleepers == 0 { await Task.yield() }
        rig.clock.advance(by: .seconds(30))
        while handle.outcome == nil { await Task.yield() }
        #expect(await rig.isLost(handle))
    }

    @Test("without a grace the last reader's leaving ends the run at once; a second reader keeps it")
    func atOnce() async throws {
        let rig = Rig()
        let handle = try await rig.start(.stop(grace: .zero))
        let first = try #require(handle.log.subscribe {})
        let second = try #require(handle.log.subscribe {})
        first.cancel()
        for _ in 0..<50 { await Task.yield() }
        #expect(handle.outcome == nil)
        second.cancel()
        while handle.outcome == nil { await Task.yield() }
        #expect(await rig.isLost(handle))
    }

    @Test("a run that nobody ever reads ends as well, where its policy says stop")
    func neverRead() async throws {
        let rig = Rig()
        let handle = try await rig.start(.stop(grace: .seconds(30)))
        rig.clock.advance(by: .seconds(30))
        while handle.outcome == nil { await Task.yield() }
        #expect(await rig.isLost(handle))
    }

    @Test("drain: a run without readers goes on; so does one whose deltas do not track its bill, whatever the policy")
    func drains() async throws {
        for (policy, metering) in [
            (.drain, ModelMetering()), (.stop(grace: .zero), ModelMetering(reasoning: .hidden)),
        ] as [(RunRequest.ClientLossPolicy, ModelMetering)] {
            let rig = Rig(metering)
            let handle = try await rig.start(policy)
            handle.log.subscribe {}?.cancel()
            rig.clock.advance(by: .seconds(3_600))
            for _ in 0..<100 { await Task.yield() }
            #expect(handle.outcome == nil)
            #expect(rig.coordinator.cancel(handle.identity.run))
            _ = await handle.log.all()
        }
    }
}
