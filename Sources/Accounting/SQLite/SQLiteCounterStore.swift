public import Accounting
internal import GRDB

/// The embedded counters: ``CounterMachine`` with a write-ahead in the database.
///
/// An actor. Commands are decided at once; commands that arrive while a transaction is under way share the next one.
/// Windows, leases and ledger rows of a batch are written in one transaction, and only then its replies leave, so a
/// process that dies has told nobody anything that is not in the file. Its leases end by themselves and are reaped.
///
/// One server process at a time: a lock on `counters.lock` beside the database holds others off.
public actor SQLiteCounterStore: CounterStore {
    private struct Waiting {
        let reply: CounterReply
        let continuation: CheckedContinuation<Result<CounterReply, CounterStoreError>, Never>
    }

    private let database: EmbeddedDatabase
    private let clock: any AccountingClock
    private let lock: CounterLock
    /// Nil after a failed write, until it is read again from the file.
    private var machine: CounterMachine?
    private var waiting: [Waiting] = []
    private var isWriting = false

    /// Takes the lock and takes up where the last process left off. Reads the file, so not on an event loop.
    ///
    /// - Throws: ``EmbeddedDatabaseError/inUse(path:)`` while another process has the counters.
    public init(_ database: EmbeddedDatabase, clock: any AccountingClock) throws(EmbeddedDatabaseError) {
        self.database = database
        self.clock = clock
        lock = try CounterLock(besides: database.path)
        do { machine = try database.pool.read { try CounterRecord.machine($0) } } catch { throw .failed("\(error)") }
    }

    public func apply(_ command: CounterCommand) async throws(CounterStoreError) -> CounterReply {
        if machine == nil, !isWriting { try await reload() }
        guard waiting.count < SQLiteLimits.waitingCommands else { throw .overloaded }
        guard var machine = take() else { throw .failed("the counters are being read again") }
        let reply = machine.apply(command, now: clock.now())
        let hasChanged = machine.hasChanges
        self.machine = machine
        // A reply may rest on a change that is not in the file yet, so it waits for that, too.
        guard hasChanged || isWriting else { return reply }
        let result = await withCheckedContinuation { continuation in
            waiting.append(Waiting(reply: reply, continuation: continuation))
            guard !isWriting else { return }
            isWriting = true
            // Not structured: the write serves many callers, and one that is cancelled must not undo the others' charges.
            Task { await self.writeBatches() }
        }
        return try result.get()
    }

    /// Rows are in the ledger before their reply is.
    public func flushRows(org: CounterSlot) async throws(CounterStoreError) {}

    /// Sets what windows count as used, while no server has the counters.
    ///
    /// - Throws: ``EmbeddedDatabaseError/inUse(path:)`` when one has.
    public static func repair(_ database: EmbeddedDatabase, used: [WindowKey: Int64]) async throws {
        let lock = try CounterLock(besides: database.path)
        try await database.write { db in
            for (key, amount) in used { try db.execute(sql: "UPDATE windows SET used = ? WHERE key = ?", arguments: [amount, key.text]) }
        }
        withExtendedLifetime(lock) {}
    }

    /// For tests and `doctor`: checks I2 and I3.
    public func checkInvariants() throws(CounterMachine.Violation) { try machine?.checkInvariants() }

    /// Moves the machine out, so that changing it copies no dictionary.
    private func take() -> CounterMachine? {
        defer { machine = nil }
        return machine
    }

    private func writeBatches() async {
        while !waiting.isEmpty {
            let batch = waiting
            waiting = []
            guard var machine = take() else {
                fail(batch, .failed("the counters are being read again"))
                continue
            }
            let changes = CounterRecord.Batch(machine.drainChanges(), of: machine)
            self.machine = machine
            do {
                try await database.write { try CounterRecord.write(changes, $0) }
                for one in batch { one.continuation.resume(returning: .success(one.reply)) }
            } catch {
                // What is in memory is ahead of the file now: forget it, and with it what was decided meanwhile.
                self.machine = nil
                fail(batch + waiting, .failed(error.description))
                waiting = []
            }
        }
        isWriting = false
    }

    private func fail(_ batch: [Waiting], _ error: CounterStoreError) {
        for one in batch { one.continuation.resume(returning: .failure(error)) }
    }

    private func reload() async throws(CounterStoreError) {
        isWriting = true
        defer { isWriting = false }
        do { machine = try await database.read { try CounterRecord.machine($0) } } catch { throw .failed(error.description) }
    }
}
