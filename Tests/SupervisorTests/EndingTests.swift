import JSON
import Supervisor
import Synchronization
import Testing

@Suite("How calls end: charges, timeouts, cancellation, limits", .timeLimit(.minutes(1)))
struct EndingTests {
    @Test("a failure is charged unless it is certain that nothing happened")
    func charges() async throws {
        let isEffectless = Mutex(false)
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                .failure(ToolFailure(code: "http_status", message: "503", hadNoEffect: isEffectless.withLock { $0 }, value: "busy"))
            })
        let charged = await bench.call()
        #expect(charged.outcome == .failed(code: "http_status", message: "503", value: "busy"))
        #expect(bench.meter.commits == 1)
        isEffectless.withLock { $0 = true }
        _ = await bench.call()
        #expect(bench.meter.refunds == 1)
        #expect(bench.log.outcomes.map(\.isCharged) == [true, false])
        #expect(bench.log.outcomes.map(\.status) == [.error, .error])
    }

    @Test("a failure's code is a plain word or tool_error")
    func codes() async throws {
        let bench = try Bench(adapter: ScriptedTool { _ in .failure(ToolFailure(code: "Oh\nno", message: "x")) })
        #expect(await bench.call().code == "tool_error")
    }

    @Test("a tool that does not answer in time is stopped and charged")
    func timeout() async throws {
        let bench = try Bench(adapter: ScriptedTool.obedient)
        async let result = bench.call()
        await bench.clock.waitForSleeper(dueAt: 10)
        bench.clock.advance(by: 10)
        #expect(await result.code == "tool_timeout")
        #expect(bench.meter.commits == 1)
        #expect(bench.log.outcomes.first?.status == .timeout)
        #expect(bench.metrics.abandoned == 0)
    }

    @Test("a tool that ignores cancellation is abandoned after the grace, and keeps its place until it ends")
    func abandoned() async throws {
        let hold = Hold()
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                await hold.wait()
                return .success(.null)
            })
        async let result = bench.call()
        await bench.clock.waitForSleeper(dueAt: 10)
        bench.clock.advance(by: 10)
        await bench.clock.waitForSleeper(dueAt: 12)
        bench.clock.advance(by: 2)
        let ended = await result
        #expect(ended.code == "tool_timeout")
        #expect(ended.elapsed == .seconds(12))
        #expect(bench.metrics.abandoned == 1)
        #expect(bench.log.outcomes.first?.status == .unknown)
        #expect(bench.supervisor.callsInFlight == 1)
        hold.open()
        while bench.supervisor.callsInFlight > 0 { await Task.yield() }
    }

    @Test("cancelling the caller stops the tool; the call is charged and recorded all the same")
    func cancelled() async throws {
        let bench = try Bench(adapter: ScriptedTool.obedient)
        let task = Task { await bench.call() }
        await bench.clock.waitForSleeper(dueAt: 10)
        task.cancel()
        let result = await task.value
        #expect(result.code == "cancelled")
        #expect(bench.meter.commits == 1)
        #expect(bench.log.outcomes.first?.status == .cancelled)
    }

    @Test("92: a call whose caller is gone before it begins is not made, and has its record")
    func cancelledBefore() async throws {
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                Issue.record("called")
                return .success(.null)
            })
        let hold = Hold()
        let task = Task {
            await hold.wait()
            return await bench.call()
        }
        task.cancel()
        hold.open()
        #expect(await task.value.code == "cancelled")
        #expect(bench.log.records.map(\.decision) == [.deny])
        #expect(bench.meter.commits == 0)
    }

    @Test("a result that is too large is not given, but paid for")
    func output() async throws {
        let bench = try Bench(adapter: ScriptedTool { _ in .success(.string(String(repeating: "x", count: 1_023))) })
        #expect(await bench.call().code == "output_too_large")
        #expect(bench.meter.commits == 1)
        let fits = try Bench(adapter: ScriptedTool { _ in .success(.string(String(repeating: "x", count: 1_022))) })
        #expect(await fits.call().code == nil)
    }

    @Test("54: of 1,000 calls at once 16 are made, and the others are refused and recorded")
    func inFlight() async throws {
        let hold = Hold()
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                await hold.wait()
                return .success(.null)
            })
        let codes = await withTaskGroup(of: String?.self) { group in
            for index in 0..<1_000 { group.addTask { await bench.call(id: "call_\(index)").code } }
            var codes: [String?] = []
            for await code in group {
                codes.append(code)
                // The refused ones do not wait for the others.
                if codes.count == 984 { hold.open() }
            }
            return codes
        }
        #expect(codes.filter { $0 == nil }.count == 16)
        #expect(codes.filter { $0 == "too_many_inflight" }.count == 984)
        #expect(bench.log.records.count == 1_000)
        #expect(bench.supervisor.callsInFlight == 0)
    }

    @Test("the whole server has a cap of its own, which another run meets too")
    func serverCap() async throws {
        let hold = Hold()
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                await hold.wait()
                return .success(.null)
            })
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<SupervisorLimits.callsInFlight {
                let caller = CallerIdentity(org: "acme", project: "shop", user: "ann", run: "run_\(index / 16)")
                group.addTask { _ = await bench.call(caller: caller) }
            }
            await hold.wait(forWaiters: SupervisorLimits.callsInFlight)
            let other = CallerIdentity(org: "acme", project: "shop", user: "bob", run: "run_other")
            #expect(await bench.call(caller: other).code == "supervisor_busy")
            hold.open()
        }
        #expect(bench.supervisor.callsInFlight == 0)
    }
}
