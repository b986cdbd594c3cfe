import Accounting
import Synchronization
import Testing

@testable import AccountingPostgres

/// Needs: the PostgreSQL server programs.
@Suite("What the Postgres client counts")
struct PostgresMetricsTests {
    private final class Counts: PostgresMetrics {
        struct Values {
            var open = 0
            var reconnects = 0
            var waiting = 0
            var mostWaiting = 0
            var ended: [PostgresCall: Int] = [:]
        }

        let values = Mutex(Values())
        var now: Values { values.withLock { $0 } }

        func connectionsChanged(open: Int) { values.withLock { $0.open = open } }
        func reconnected() { values.withLock { $0.reconnects += 1 } }
        func waitingChanged(_ count: Int) { values.withLock { ($0.waiting, $0.mostWaiting) = (count, max($0.mostWaiting, count)) } }
        func ended(_ call: PostgresCall, after duration: Duration) {
            values.withLock { $0.ended[call, default: 0] += duration > .zero ? 1 : 0 }
        }
    }

    @Test("connections, their loss and return, calls by kind, and who waits")
    func counts() async throws {
        let server = try await PostgresServer()
        let counts = Counts()
        let database = PostgresDatabase(try server.makeDatabase(), metrics: counts)
        #expect(counts.now.open == 0)
        try await database.ping()
        #expect(counts.now.open == 1 && counts.now.reconnects == 0 && counts.now.ended == [.read: 1])
        try await database.write { (connection) throws(PostgresError) in _ = try connection.query("SELECT 1::bigint") }
        let row = LedgerRow(
            chargeID: "a", kind: .commit, lease: "l", attribution: try Make.attribution(), nanoUSD: 5,
            usage: UsageClasses(outputVisible: 1), requests: 0, estimated: false, at: ManualClock.monday)
        try await PostgresLedger(database).append([row])
        #expect(counts.now.ended == [.read: 1, .write: 1, .append: 1])

        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<PostgresLimits.connections * 3 {
                group.addTask {
                    try await database.read { (connection) throws(PostgresError) in _ = try connection.query("SELECT pg_sleep(0.05)") }
                }
            }
            try await group.waitForAll()
        }
        let busy = counts.now
        #expect(busy.open == PostgresLimits.connections && busy.mostWaiting >= PostgresLimits.connections && busy.waiting == 0)

        server.kill()
        // Each call that finds its connection dead closes it; refusals without a connection are no calls of Postgres.
        #expect(
            await eventually {
                _ = try? await database.ping(); return counts.now.open == 0
            })
        let ended = counts.now.ended
        for _ in 0..<20 { _ = try? await database.ping() }
        #expect(counts.now.ended == ended)
        try await server.launch()
        #expect(
            await eventually {
                try await database.ping(); return true
            })
        #expect(counts.now.open >= 1 && counts.now.reconnects >= 1)
        await database.close()
        #expect(counts.now.open == 0)
    }
}
