import Accounting
import Testing

extension DurableStoreContract {
    func callsOfTools() async throws {
        let (pay, mail) = (try #require(ToolName("payments.refund")), try #require(ToolName("mail.send")))
        func row(_ id: String, _ subject: String, calls: Int64, nano: Int64, slot: Int = 0) throws -> LedgerRow {
            LedgerRow(
                chargeID: id, kind: .settle, lease: id,
                attribution: Attribution(path: try Make.path(), run: "r1", model: subject, priceVersion: ""), nanoUSD: nano, usage: .zero,
                requests: calls == 0 ? 1 : 0, calls: calls, estimated: false, at: now, slot: slot)
        }
        let rows = [
            try row("a", pay.subject, calls: 1, nano: 7), try row("b", pay.subject, calls: 1, nano: 7, slot: 2),
            try row("c", mail.subject, calls: 1, nano: 0), try row("d", "demo", calls: 0, nano: 5),
        ]
        #expect(try await server.ledger.append(rows) == 4)
        let (from, to) = (now - Milliseconds(60_000), now + Milliseconds(60_000))
        for scope in try Make.path().scopes {
            #expect(try await tool.ledger.sum(scope, from: from, to: to) == LedgerSum(nanoUSD: 19, requests: 1, calls: 3), "\(scope.text)")
            #expect(try await tool.ledger.sum(scope, model: pay.subject, from: from, to: to) == LedgerSum(nanoUSD: 14, calls: 2))
            let slots = try await tool.ledger.sums(scope, model: nil, from: from, to: to)
            #expect(slots == [0: LedgerSum(nanoUSD: 12, requests: 1, calls: 2), 2: LedgerSum(nanoUSD: 7, calls: 1)], "\(scope.text)")
        }
        #expect(try await tool.ledger.rows(ofRun: "r1") == rows)
        let runs = try await tool.ledger.runs(LedgerQuery(run: "r1"), before: nil, limit: 10).runs
        #expect(runs.first { $0.attribution.tool == pay }?.sum == LedgerSum(nanoUSD: 14, calls: 2))

        let scope = Scope.project(org: "acme", project: "web")
        let set = try await server.budgets.set(Budget(scope: scope, model: pay.subject, unit: .calls, period: .minute, limit: 30))
        let all = try await server.budgets.set(Budget(scope: scope, unit: .calls, period: .day, limit: 100))
        let reading = try await tool.budgets.budgets(for: Make.path())
        #expect(Set(reading.budgets) == [set, all] && set.tool == pay && all.tool == nil)
        #expect(reading.limiting(pay).budgets.count == 2 && reading.limiting(mail).budgets == [all])
        #expect(reading.limiting("demo").budgets.isEmpty, "a run is limited by no calls")
        #expect(try await tool.budgets.remove(scope: scope, model: pay.subject, unit: .calls, period: .minute))
        #expect(try await server.budgets.list(scope: scope) == [all])
    }
}
