import Accounting
import Testing

/// The items of budgets in time zones.
extension DurableStoreContract {
    func zones() async throws {
        func budget(_ zone: String, model: String? = nil, limit: String = "5") throws -> Budget {
            try Budget(scope: "org:acme", model: model, unit: "usd", period: "day", zone: zone, limit: limit)
        }
        for model in [nil, "lab/gpt:4o"] {
            let first = try await tool.budgets.set(try budget("", model: model))
            let berlin = try await tool.budgets.set(try budget("Europe/Berlin", model: model))
            #expect(berlin.version > first.version, "another zone is a change")
            #expect(berlin.generation == berlin.version, "and begins a generation")
            #expect(try await server.budgets.set(try budget("Europe/Berlin", model: model)) == berlin, "the same again is none")
            let raised = try await server.budgets.set(try budget("Europe/Berlin", model: model, limit: "6"))
            #expect(raised.generation == berlin.generation && raised.zone == berlin.zone)
            #expect(try await tool.budgets.list(scope: .org("acme")).last == raised)
            #expect(try await server.budgets.budgets(for: try Make.path()).limiting("lab/gpt:4o").budgets.last == raised)
        }
        #expect(try await tool.budgets.list(scope: nil).count == 2, "a zone names no budget")
        let back = try await tool.budgets.set(try budget("UTC"))
        #expect(back.zone == nil && back.generation == back.version)
    }

    /// One row at each end of local days, weeks and months that have odd lengths, and one outside.
    func zonedSums() async throws {
        for (zone, day) in [("Europe/Berlin", now), ("Australia/Lord_Howe", Milliseconds(1_775_347_200_000)), ("Asia/Kolkata", now)] {
            let org = try OrgID("o" + zone.suffix(4))
            for period in [Period.day, .week, .month] {
                let budget = try Budget(scope: "org:\(org)", unit: "tokens", period: period.rawValue, zone: zone, limit: "100")
                let window = try await server.budgets.set(budget).window(at: day)
                let instants = [
                    window.start - Milliseconds(1), window.start, day, window.end - Milliseconds(1), window.end,
                ]
                _ = try await server.ledger.append(
                    try instants.enumerated().map { index, at in
                        LedgerRow(
                            chargeID: "\(org)-\(period)-\(index)", kind: .commit, lease: "l", attribution: try Make.attribution(org: org),
                            nanoUSD: 1, usage: UsageClasses(outputVisible: 1), requests: 1, estimated: false, at: at)
                    })
            }
            // Rows of three periods, of which each sees what lies in its own span.
            let usage = try await tool.usage.usage(of: .org(org), now: day)
            #expect(usage.windows.count == 3)
            let rows = try await tool.ledger.rows(LedgerQuery(scope: .org(org)), after: nil, limit: 100).rows
            #expect(rows.count == 15)
            for window in usage.windows {
                let span = WindowSpan(window.key.period, containing: day, in: try CalendarZone.named(zone))
                #expect(window.key.window == span.id && window.end == span.end)
                #expect(window.used == Int64(rows.filter { span.contains($0.at) }.count), "\(window.key.text)")
            }
        }
    }
}
