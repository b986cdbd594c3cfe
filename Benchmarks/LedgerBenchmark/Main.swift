import Accounting
import AccountingPostgres

/// `ledger-benchmark URL ROWS BATCH WRITERS`: appends ROWS ledger rows in batches and prints rows a second.
///
/// The rows are those of a busy server: 200 runs of 40 users in one org take turns, seven rows each.
@main
struct LedgerBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let numbers = arguments.dropFirst().compactMap { Int($0) }
        guard let address = arguments.first, numbers.count == 3, numbers.allSatisfy({ $0 > 0 }) else {
            print("usage: ledger-benchmark URL ROWS BATCH WRITERS")
            return
        }
        let (total, batch, writers) = (numbers[0], numbers[1], numbers[2])
        let database = PostgresDatabase(try PostgresURL(parsing: address))
        let ledger = PostgresLedger(database)
        // The first append makes the day's partition and prepares the statement.
        let run = String(UInt64.random(in: .min ... .max), radix: 36)
        _ = try await ledger.append(try rows(0..<batch, run: "\(run)-warm"))
        let clock = ContinuousClock()
        let start = clock.now
        let added = try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    var added = 0
                    let share = total / writers
                    for first in stride(from: 0, to: share, by: batch) {
                        added += try await ledger.append(try rows(first..<min(first + batch, share), run: "\(run)-\(writer)"))
                    }
                    return added
                }
            }
            var added = 0
            for try await share in group { added += share }
            return added
        }
        let (seconds, attoseconds) = (clock.now - start).components
        let milliseconds = Int(seconds) * 1_000 + Int(attoseconds / 1_000_000_000_000_000)
        print(added * 1_000 / max(milliseconds, 1))
        await database.close()
    }

    static func rows(_ range: Range<Int>, run: String) throws -> [LedgerRow] {
        try range.map { index in
            let stream = index % 200
            let path = try TenancyPath(org: "bench", project: "web", user: "user\(stream % 40)", key: "key_\(stream % 40)")
            return LedgerRow(
                chargeID: "run_\(run)\(stream).4f2a9c81d07b:\(index / 200):commit", kind: .commit,
                lease: "run_\(run)\(stream).4f2a9c81d07b",
                attribution: Attribution(path: path, run: "run_\(run)\(stream)", model: "gpt-5-mini", priceVersion: "1f2e3d4c5b6a7988"),
                nanoUSD: 128_000, usage: UsageClasses(outputVisible: 64), requests: 0, estimated: false,
                at: Milliseconds(1_795_435_200_000 + Int64(index / 30)))
        }
    }
}
