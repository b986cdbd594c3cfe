import Accounting

/// The counter store as a process sees it.
struct StoreLink: CounterStore {
    let process: NodeProcess

    func incarnation(org: CounterSlot) -> String { process.incarnation }

    func apply(_ command: CounterCommand) async throws(CounterStoreError) -> CounterReply {
        try await send(command, for: process.incarnation, life: nil)
    }

    func apply(_ command: CounterCommand, in life: Epoch) async throws(CounterStoreError) -> CounterReply {
        try await send(command, for: life.incarnation, life: life.number)
    }

    private func send(_ command: CounterCommand, for incarnation: String, life: Int64?) async throws(CounterStoreError) -> CounterReply {
        let world = process.world
        let answer: Network.Answer = await process.wait(orElse: .failure(.unreachable("disconnected")), isOfStore: true) { wait in
            world.network.send(command, for: incarnation, life: life, wait)
        }
        return try answer.get()
    }

    func flushRows(org: CounterSlot) async throws(CounterStoreError) {
        let world = process.world
        let isFlushed = await process.wait(orElse: false, isOfStore: true) { wait in
            let incarnation = process.incarnation
            world.loop.after(world.loop.random.integer(0...6)) {
                guard !world.store.isAway, incarnation == world.store.incarnation, !world.network.fails() else {
                    return wait.finish(false)
                }
                let isFlushed = world.store.flush(org: org)
                if world.network.fails() { return wait.finish(false) }
                world.loop.after(world.loop.random.integer(0...6)) { wait.finish(isFlushed) }
            }
        }
        guard isFlushed else { throw .unreachable("not flushed") }
    }
}

/// The ledger as a process sees it.
struct LedgerLink: LedgerStore {
    let process: NodeProcess

    func append(_ rows: [LedgerRow]) async throws(LedgerStoreError) -> Int { throw .failed("only the outbox appends") }

    func sum(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds) async throws(LedgerStoreError) -> LedgerSum {
        try await ask { $0.sum(scope, model: model, from: from, to: to) }
    }

    func sums(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds
    ) async throws(LedgerStoreError) -> [Int: LedgerSum] {
        try await ask { $0.sums(scope, model: model, from: from, to: to) }
    }

    func charges(of lease: LeaseKey, run: String) async throws(LedgerStoreError) -> LeaseCharges {
        try await ask { $0.charges(of: lease) }
    }

    private func ask<Answer: Sendable>(_ question: @escaping @Sendable (LedgerServer) -> Answer) async throws(LedgerStoreError) -> Answer {
        let world = process.world
        let answer: Answer? = await process.wait(orElse: nil) { wait in
            world.loop.after(world.loop.random.integer(0...6)) {
                guard !world.ledger.isAway, !world.network.fails() else { return wait.finish(nil) }
                let answer = question(world.ledger)
                world.loop.after(world.loop.random.integer(0...6)) { wait.finish(answer) }
            }
        }
        guard let answer else { throw .unreachable("no ledger") }
        return answer
    }
}

/// The budgets as a node knows them, which may be late.
struct DirectoryView: BudgetDirectory {
    let process: NodeProcess

    func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> BudgetReading {
        let seat = process.seat
        guard !seat.directoryIsAway else { throw BudgetDirectoryError("away") }
        let known = seat.budgets
        return BudgetReading(
            budgets: path.scopes.flatMap { scope in known.filter { $0.scope == scope } }, edition: seat.edition, newest: seat.edition)
    }

    func budgets(for path: TenancyPath, changedSince edition: Int64) async throws(BudgetDirectoryError) -> BudgetReading? {
        process.seat.edition == edition ? nil : try await budgets(for: path)
    }
}

/// The clocks of one process.
struct NodeClock: AccountingClock {
    let process: NodeProcess

    func now() -> Milliseconds { Milliseconds(process.world.loop.now + process.seat.offset) }

    func monotonic() -> Milliseconds {
        let elapsed = process.world.loop.now - process.world.plan.start
        return Milliseconds(1_000_000 + elapsed + elapsed * process.seat.drift / 1_000_000)
    }

    func sleep(_ duration: Milliseconds) async {
        let alarm = Alarm()
        await withTaskCancellationHandler {
            await process.wait(orElse: ()) { (wait: Wait<Void>) in
                alarm.wait = wait
                process.world.loop.after(Task.isCancelled ? 0 : duration.rawValue) { wait.finish(()) }
            }
        } onCancel: {
            alarm.wait?.finish(())
        }
    }

    /// Confined to the loop's thread: tasks are cancelled there, too.
    private final class Alarm: @unchecked Sendable { var wait: Wait<Void>? }
}
