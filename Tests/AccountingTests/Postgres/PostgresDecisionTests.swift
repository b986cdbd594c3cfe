import Accounting
import Testing

@testable import AccountingPostgres

@Suite("Postgres: decisions that need no server")
struct PostgresDecisionTests {
    @Test("while all is well anybody may connect; after a failure one at a time, after pauses that double up to a second")
    func gate() {
        var gate = PostgresGate()
        var random = SplitMix(seed: 7)
        #expect(gate.refusal(now: Milliseconds(0)) == nil && gate.refusal(now: Milliseconds(0)) == nil)
        var time = Milliseconds(0)
        for failure in 0..<12 {
            gate.failed(gate.attempt, "away", now: time, random: &random)
            let longest = min(50 << min(failure, 10), 1_000)
            #expect(gate.refusal(now: time + Milliseconds(Int64(longest) / 2 - 1)) == "away")
            time = time + Milliseconds(Int64(longest))
            #expect(gate.refusal(now: time) == nil)
            #expect(gate.refusal(now: time) == "away", "somebody is trying already")
        }
        gate.succeeded()
        #expect(gate.refusal(now: time) == nil && gate.refusal(now: time) == nil)
    }

    @Test("an attempt that began before a connection answered does not shut the gate when it fails at last")
    func late() {
        var gate = PostgresGate()
        var random = SplitMix(seed: 7)
        gate.failed(gate.attempt, "away", now: Milliseconds(0), random: &random)
        let late = gate.attempt
        #expect(gate.refusal(now: Milliseconds(1_000)) == nil)
        gate.succeeded()
        gate.failed(late, "no answer in time", now: Milliseconds(4_000), random: &random)
        #expect(!gate.isShut && gate.refusal(now: Milliseconds(4_000)) == nil)
        gate.failed(gate.attempt, "away", now: Milliseconds(4_000), random: &random)
        #expect(gate.isShut && gate.refusal(now: Milliseconds(4_000)) == "away")
    }

    @Test("days, minutes and rows cover every span once")
    func ranges() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(seed: seed)
        for _ in 0..<2_000 {
            let from = Int64.random(in: -200_000_000...200_000_000, using: &random)
            let to = from + Int64.random(in: -1_000...300_000_000, using: &random) / (Bool.random(using: &random) ? 1 : 2_000)
            let ranges = LedgerRanges(from: Milliseconds(from), to: Milliseconds(to))
            let parts = ([ranges.days] + ranges.minutes + ranges.rows).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
            var end = from
            for part in parts {
                #expect(part.lowerBound == end, "seed \(seed): \(from) to \(to)")
                end = part.upperBound
            }
            #expect(end == max(from, to), "seed \(seed): \(from) to \(to)")
            #expect(ranges.days.lowerBound % LedgerRanges.day == 0 && ranges.days.upperBound % LedgerRanges.day == 0)
            for minutes in ranges.minutes { #expect(minutes.lowerBound % 60_000 == 0 && minutes.upperBound % 60_000 == 0) }
            for rows in ranges.rows where !ranges.days.isEmpty { #expect(rows.count < 60_000) }
        }
        let all = LedgerRanges(from: Milliseconds(.min), to: Milliseconds(.max))
        #expect(all.rows.allSatisfy(\.isEmpty) && all.minutes.allSatisfy(\.isEmpty) && all.days.contains(1_795_435_200_000))
        #expect(LedgerRanges.day(of: Milliseconds(-1)) == -1 && LedgerRanges.day(of: Milliseconds(0)) == 0)
    }
}
