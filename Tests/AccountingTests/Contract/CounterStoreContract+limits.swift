import Accounting
import Testing

/// Items about single units.
extension CounterStoreContract {
    func tokensApart() async throws {
        let all = try await window(200)
        let input = try await window(100, unit: .inputTokens)
        let output = try await window(90, unit: .outputTokens)
        let path = [all, input, output]
        let fixed = Amounts(tokens: 100, requests: 1, inputTokens: 100)
        #expect(try await store.apply(Make.open(org: org, path: path, fixed: fixed, offers: [64])).grantedOffer == 0)
        #expect(try await path.asyncMap { try await read($0).held } == [164, 100, 64])
        // One token more of input than the window has is refused by that window, whatever the others have.
        let more = try await store.apply(Make.open("l2", org: org, path: path, fixed: Amounts(tokens: 1, inputTokens: 1), offers: [1]))
        guard case .denied(let by, _, _) = more else { throw Unexpected.reply }
        #expect(by.key == input.key)
        let spent = Spent(usage: UsageClasses(inputFresh: 70, inputCacheRead: 10, outputVisible: 60, outputReasoning: 14), requests: 1)
        let settled = try await store.apply(
            .settle(SettleLease(lease: LeaseKey(org: org, id: "l1"), holder: Make.holder, sequence: 1, spent: spent)))
        guard case .settled(let overrun, _, _) = settled else { throw Unexpected.reply }
        #expect(overrun == Amounts(outputTokens: 10), "the sum was covered by what was held for the prompt")
        #expect(try await path.asyncMap { try await read($0).used } == [154, 80, 74])
        #expect(try await path.asyncMap { try await read($0).held } == [0, 0, 0])
        // Exactly what is left fits.
        let last = try await store.apply(
            Make.open("l3", org: org, path: path, fixed: Amounts(tokens: 20, inputTokens: 20), offers: [16]))
        #expect(last.grantedOffer == 0)
    }

    func runsAtOneTime() async throws {
        let ref = try await window(2, unit: .runs)
        let fixed = Amounts(requests: 1, runs: 1)
        for lease in ["a", "b"] {
            #expect(try await store.apply(Make.open(lease, org: org, path: [ref], fixed: fixed)).grantedOffer == 0)
        }
        guard case .denied(let by, _, _) = try await store.apply(Make.open("c", org: org, path: [ref], fixed: fixed)) else {
            throw Unexpected.reply
        }
        #expect(by.key == ref.key)
        #expect(try await store.apply(Make.step(1, of: "a", org: org, spent: 10)).grantedOffer != nil, "a live run asks for no place")
        _ = try await store.apply(Make.settle(2, of: "a", org: org, spent: 20))
        let window = try await read(ref)
        #expect((window.used, window.held) == (0, 1))
        #expect(try await store.apply(Make.open("c", org: org, path: [ref], fixed: fixed)).grantedOffer == 0)
    }

    func runsContinue() async throws {
        let ref = try await window(1, unit: .runs)
        let fixed = Amounts(requests: 1, runs: 1)
        #expect(try await store.apply(Make.open("a", org: org, path: [ref], fixed: fixed)).grantedOffer == 0)
        #expect(try await store.apply(Make.open("b", org: org, path: [ref], fixed: fixed, continues: true)).grantedOffer == 0)
        _ = try await store.apply(Make.settle(1, of: "a", org: org, spent: 0))
        #expect(try await read(ref).held == 1)
        guard case .denied = try await store.apply(Make.open("c", org: org, path: [ref], fixed: fixed)) else { throw Unexpected.reply }
    }

    func callsOfTools() async throws {
        let ref = try await window(3, unit: .calls)
        let fixed = Amounts(calls: 1)
        for lease in ["a", "b", "c"] {
            let open = try Make.open(lease, org: org, path: [ref], fixed: fixed, offers: [1], ttl: Milliseconds(lease == "c" ? 20 : 30_000))
            #expect(try await store.apply(open).grantedOffer == 0)
        }
        guard case .denied(let by, _, _) = try await store.apply(Make.open("d", org: org, path: [ref], fixed: fixed)) else {
            throw Unexpected.reply
        }
        #expect(by.key == ref.key && by.held == 3)
        for (lease, calls) in [("a", 1), ("b", 0)] as [(String, Int64)] {
            let settle = SettleLease(
                lease: LeaseKey(org: org, id: lease), holder: Make.holder, sequence: 1, spent: Spent(nanoUSD: 5 * calls, calls: calls))
            for _ in 0..<2 { guard case .settled = try await store.apply(.settle(settle)) else { throw Unexpected.reply } }
        }
        await advance(Milliseconds(40))
        _ = try await store.apply(.reap(org: org, grace: Milliseconds(0)))
        let window = try await read(ref)
        #expect([window.used, window.held, window.suspense] == [1, 0, 1])
        try await store.flushRows(org: org)
        let sum = try await ledger.sum(.org(org.org), from: Milliseconds(0), to: WindowSpan.never)
        #expect(sum == LedgerSum(nanoUSD: 5, calls: 1))
        let evidence = CounterCommand.resolve(LeaseKey(org: org, id: "c"), evidence: Spent(calls: 1))
        guard case .settled = try await store.apply(evidence) else { throw Unexpected.reply }
        let after = try await read(ref)
        #expect([after.used, after.held, after.suspense] == [2, 0, 0])
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
