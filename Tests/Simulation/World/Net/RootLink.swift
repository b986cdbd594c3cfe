import Accounting

/// The durable root as a process sees it.
struct RootLink: CounterRoot {
    let process: NodeProcess

    func life(org: CounterSlot) async throws(LedgerStoreError) -> EpochState? { try await ask { $0.lives[org] } }

    func seal(org: CounterSlot, incarnation: String, after last: Int64) async throws(LedgerStoreError) -> EpochState {
        try await ask { $0.seal(org, incarnation, after: last) }
    }

    func release(
        _ window: WindowRef, org: CounterSlot, incarnation: String, upTo target: Int64, shares: [Int: Int64]
    ) async throws(LedgerStoreError) -> Release? {
        try await ask { $0.release(window, org: org, incarnation: incarnation, upTo: target, shares: shares) }
    }

    func releases(_ window: WindowRef) async throws(LedgerStoreError) -> [Int: Int64] { try await ask { $0.releases(window) } }

    func beginRecall(_ window: WindowRef, org: CounterSlot, incarnation: String) async throws(LedgerStoreError) -> Int64? {
        try await ask { $0.beginRecall(window, org: org, incarnation: incarnation) }
    }

    func endRecall(_ window: WindowRef, org: CounterSlot, turn: Int64, released: Int64) async throws(LedgerStoreError) {
        try await ask { $0.endRecall(window, org: org, turn: turn, released: released) }
    }

    func everySlot() async throws(LedgerStoreError) -> [CounterSlot] {
        try await ask { $0.lives.keys.sorted() }
    }

    func slots(org: OrgID) async throws(LedgerStoreError) -> [Int] { try await ask { $0.slots(org) } }

    func beat(_ holder: LeaseHolder) async throws(LedgerStoreError) { try await ask { $0.beat(holder) } }

    func leave(_ holder: LeaseHolder) async throws(LedgerStoreError) { try await ask { $0.leave(holder) } }

    func pending() async throws(LedgerStoreError) -> [CounterSlot: Epoch] { try await ask { $0.pending } }

    func awaited(org: CounterSlot) async throws(LedgerStoreError) -> [LeaseHolder] { try await ask { $0.awaited(org) } }

    func confirm(org: CounterSlot, epoch: Epoch, holder: LeaseHolder) async throws(LedgerStoreError) -> Bool {
        try await ask { $0.confirm(org, epoch, holder) }
    }

    /// One transaction. It may be lost, or be done and its answer lost; it ends with the process that asked.
    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (inout RootTable) -> Answer
    ) async throws(LedgerStoreError) -> Answer {
        let world = process.world
        let process = process
        let answer: Answer? = await process.wait(orElse: nil) { wait in
            world.loop.after(world.network.delay()) {
                guard !process.isDead, !world.ledger.isAway, !world.network.fails() else { return wait.finish(nil) }
                let before = world.ledger.root.lives
                let answer = question(&world.ledger.root)
                world.observeRoot(before)
                if world.network.fails() { return wait.finish(nil) }
                world.loop.after(world.loop.random.integer(0...6)) { wait.finish(answer) }
            }
        }
        guard let answer else { throw .unreachable("no root") }
        return answer
    }
}
