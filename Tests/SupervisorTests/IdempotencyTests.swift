import JSON
import Supervisor
import Synchronization
import Testing

@Suite("Idempotency keys", .timeLimit(.minutes(1)))
struct IdempotencyTests {
    /// Counts its calls.
    final class Counter: Sendable {
        let count = Mutex(0)
        var adapter: ScriptedTool {
            ScriptedTool { [self] _ in
                .success(
                    .integer(
                        count.withLock { count in
                            count += 1
                            return Int64(count)
                        }))
            }
        }
    }

    @Test("the same key with the same call gives the stored outcome; with another it is a conflict")
    func replay() async throws {
        let counter = Counter()
        let bench = try Bench(adapter: counter.adapter)
        let first = await bench.call(key: "k")
        let again = await bench.call(#"{ "amount": 5, "order_id": "A1" }"#, key: "k")
        #expect(first.value == 1 && again.value == 1)
        #expect(!first.isReplayed && again.isReplayed)
        #expect(bench.log.records.map(\.rule) == ["tool.catalog", "supervisor.replay"])
        #expect(await bench.call(#"{"order_id":"A1","amount":6}"#, key: "k").code == "idempotency_conflict")
        #expect(bench.meter.commits == 1)
        let bob = CallerIdentity(org: "acme", project: "shop", user: "bob", run: "run_2")
        #expect(await bench.call(key: "k", caller: bob).value == 2)
    }

    @Test("a key is a user's own, or the credential's where it has no user; and so is what the tool is told of it")
    func owners() async throws {
        let told = Mutex<[String]>([])
        let bench = try Bench(
            adapter: ScriptedTool { call in
                told.withLock { $0.append(call.idempotencyKey ?? "") }
                return .success(.null)
            })
        func caller(_ org: OrgID, _ user: String, _ key: String) -> CallerIdentity {
            CallerIdentity(org: org, project: "shop", user: user, key: key, run: "run_1")
        }
        for owner in [caller("acme", "", "k1"), caller("acme", "", "k2"), caller("acme", "k1", "k1"), caller("nova", "", "k1")] {
            #expect(await bench.call(key: "k", caller: owner).isReplayed == false)
        }
        #expect(await bench.call(key: "k", caller: caller("acme", "", "k1")).isReplayed)
        #expect(await bench.call(key: "k", caller: caller("acme", "k1", "another")).isReplayed, "of one user, whatever the key")
        let keys = told.withLock { $0 }
        #expect(keys.count == 4 && Set(keys).count == 4 && keys.allSatisfy { $0.utf8.count == 64 })
    }

    @Test("a call of the same key waits for the one in flight")
    func waits() async throws {
        let hold = Hold()
        let counter = Counter()
        let inner = counter.adapter
        let bench = try Bench(
            adapter: ScriptedTool { call in
                await hold.wait()
                return await inner.body(call)
            })
        async let first = bench.call(id: "a", key: "k")
        await hold.wait(forWaiters: 1)
        async let second = bench.call(id: "b", key: "k")
        #expect(await bench.call(#"{"order_id":"A1","amount":6}"#, key: "k").code == "idempotency_conflict")
        hold.open()
        let values = await [first.value, second.value]
        #expect(values == [1, 1])
        #expect(counter.count.withLock { $0 } == 1)
    }

    @Test("after a call without effect the key is free; after one of unknown effect nobody calls again")
    func endings() async throws {
        let failure = Mutex(ToolFailure(code: "refused", message: "", hadNoEffect: true))
        let bench = try Bench(adapter: ScriptedTool { _ in .failure(failure.withLock { $0 }) })
        #expect(await bench.call(key: "k").code == "refused")
        failure.withLock { $0 = ToolFailure(code: "late", message: "", isTimeout: true) }
        #expect(await bench.call(key: "k").code == "tool_timeout")
        #expect(await bench.call(key: "k").code == "idempotency_unknown")
        failure.withLock { $0 = ToolFailure(code: "http_status", message: "500") }
        #expect(await bench.call(key: "other").isReplayed == false)
        let again = await bench.call(key: "other")
        #expect(again.isReplayed)
        #expect(again.code == "http_status")
    }

    @Test("a call that another process makes is waited for, no longer than its tool may take")
    func elsewhere() async throws {
        let bench = try Bench([tool(timeout: "1s")])
        let key = IdempotentCall.Key(org: "acme", project: "shop", user: "ann", text: "k")
        let done = await bench.call()
        let digest = try #require(bench.log.records.first?.argumentsDigest)
        let keyed = IdempotentCall(key: key, tool: "payments.refund", digest: digest)
        bench.idempotency.entries.withLock { $0[key] = .inFlight(keyed) }
        let waiting = Task { await bench.call(key: "k") }
        while !waiting.isCancelled, bench.clock.sleeperCount == 0 { await Task.yield() }
        bench.clock.advance(by: 60)
        #expect(await waiting.value.code == "idempotency_unknown")
        let stored = try #require(done.stored)
        bench.idempotency.entries.withLock { $0[key] = .finished(keyed, stored) }
        #expect(await bench.call(key: "k").value == done.value)
    }

    @Test("keys have 1 to 128 bytes, and a store that cannot be asked means no call")
    func mistakes() async throws {
        let bench = try Bench()
        #expect(await bench.call(key: "").code == "bad_idempotency_key")
        #expect(await bench.call(key: String(repeating: "k", count: 129)).code == "bad_idempotency_key")
        #expect(await bench.call(key: String(repeating: "k", count: 128)).code == nil)
        bench.idempotency.fail()
        #expect(await bench.call(key: "x").code == "idempotency_unavailable")
        #expect(bench.meter.commits == 1)
    }
}
