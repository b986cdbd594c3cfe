import Accounting
import RedisClient
import Testing

@testable import AccountingRedis

/// Needs: redis-server. Redis' clock cannot be moved, so the one item about time waits for it, some milliseconds.
@Suite("Counter store contract: Redis")
struct RedisContractTests {
    @Test("Every item of the contract holds, each under an org of its own")
    func contract() async throws {
        let server = try await RedisServer()
        for (index, item) in CounterStoreContract.items.enumerated() {
            // A ledger of its own as well: the items use the same lease ids, and a charge id does not name the org.
            let (org, ledger) = (try CounterSlot("org\(index)"), MemoryLedger())
            let node = try await RedisNode(server, ledger: ledger, orgs: [org])
            let contract = CounterStoreContract(
                store: node.store, org: org, advance: { try? await Task.sleep(for: .milliseconds($0.rawValue)) }, ledger: ledger)
            do {
                try await item.run(contract)
            } catch {
                Issue.record("\(item.name): \(error)")
            }
            await node.connection.close()
        }
    }
}
