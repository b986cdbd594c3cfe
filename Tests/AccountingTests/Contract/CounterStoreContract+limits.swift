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
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
