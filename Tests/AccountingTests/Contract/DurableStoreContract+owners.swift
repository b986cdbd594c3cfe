import Accounting
import Testing

/// The item of whose a budget is.
extension DurableStoreContract {
    func budgetOwners() async throws {
        for model in [nil, "demo"] {
            func budget(_ limit: Int64, _ owner: Budget.Owner, scope: Scope = .org("acme")) throws -> Budget {
                try Budget(scope: scope, model: model, unit: .tokens, period: .day, limit: limit, owner: owner)
            }
            let cap = try await server.budgets.set(try budget(10, .operator))
            #expect(cap.owner == .operator)
            #expect(try await tool.budgets.list(scope: .org("acme")).contains(cap))
            #expect(try await tool.budgets.budgets(for: try Make.path()).budgets.contains(cap))
            for limit in [Int64(5), 10, 20] {
                #expect(try await tool.budgets.set(try budget(limit, .org), by: .org) == nil)
                #expect(try await tool.budgets.set(try budget(limit, .operator), by: .org) == nil)
            }
            let kept = try await tool.budgets.remove(scope: .org("acme"), model: model, unit: .tokens, period: .day, by: .org)
            #expect(kept == .kept)
            #expect(try await server.budgets.list(scope: .org("acme")).contains(cap), "as it was")
            // Handed over: no other version, so no window begins anew.
            let given = try await server.budgets.set(try budget(10, .org))
            #expect(given.owner == .org && given.version == cap.version && given.generation == cap.generation)
            let own = try #require(try await tool.budgets.set(try budget(20, .operator), by: .org))
            #expect(own.owner == .org && own.limit == 20, "an organisation makes nothing that is the operator's")
            #expect(try await server.budgets.set(try budget(20, .operator)).owner == .operator, "taken over")
            let ofKey = try await server.budgets.set(try budget(3, .operator, scope: .key("k1")))
            #expect(ofKey.owner == .org, "a key's is its organisation's")
            let removed = try await server.budgets.remove(scope: .org("acme"), model: model, unit: .tokens, period: .day, by: .operator)
            #expect(removed == .removed)
            let absent = try await tool.budgets.remove(scope: .org("acme"), model: model, unit: .tokens, period: .day, by: .org)
            #expect(absent == .absent)
        }
    }
}
