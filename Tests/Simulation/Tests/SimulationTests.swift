import Simulation
import Testing

@Suite("Simulation of Accounting (metering.md §4.6)")
struct SimulationTests {
    /// Issue 3: as many pass in every run of the tests. `make simulate SEEDS=n` plays more.
    static let seeds: UInt64 = 10_000

    @Test("10,000 seeds keep every invariant, and each kind of trouble really happened", .timeLimit(.minutes(10)))
    func tenThousandSeeds() async {
        let slice: UInt64 = 250
        let totals = await withTaskGroup(of: (SimulationReport.Counts, [SimulationReport]).self) { group in
            for first in stride(from: 0, to: Self.seeds, by: Int(slice)) {
                group.addTask {
                    var counts = SimulationReport.Counts()
                    var failed: [SimulationReport] = []
                    for seed in first..<first + slice {
                        let report = Simulation.play(seed: seed)
                        counts = counts + report.counts
                        if report.violation != nil { failed.append(report) }
                    }
                    return (counts, failed)
                }
            }
            return await group.reduce(into: (SimulationReport.Counts(), [SimulationReport]())) { sum, one in
                sum = (sum.0 + one.0, sum.1 + one.1)
            }
        }
        for report in totals.1.prefix(3) { Issue.record("\(report.text)") }
        #expect(totals.1.isEmpty, "\(totals.1.count) seeds failed")
        let counts = totals.0
        print("\(Self.seeds) seeds: \(counts)")
        #expect(counts.granted > 50_000 && counts.denied > 5_000 && counts.rolled > 500)
        #expect(counts.suspended > 30 && counts.stale > 500 && counts.faults > 10_000)
        #expect(counts.lost > 1_000 && counts.begun > 2_000 && counts.asserted > 500 && counts.cleared > 1_000)
        #expect(counts.recalled > 500)
    }

    @Test("the same seed gives the same trace, to the last number")
    func sameSeed() {
        for seed in UInt64(0)..<66 {
            let (first, second) = (Simulation.play(seed: seed), Simulation.play(seed: seed))
            #expect(first.digest == second.digest && first.events == second.events, "seed \(seed)")
        }
        #expect(Simulation.play(seed: 1).digest != Simulation.play(seed: 12).digest)
    }

    @Test("a broken store or root is caught within 200 seeds, and the report says how to see it again", arguments: Defect.allCases)
    func defects(defect: Defect) throws {
        let caught = (UInt64(0)..<200).lazy.map { Simulation.play(seed: $0, profile: defect.profile, defect: defect) }.first {
            $0.violation != nil
        }
        let report = try #require(caught, "\(defect.rawValue) was not seen")
        #expect(report.text.contains("make simulate SEED=\(report.seed) PROFILE=\(report.profile) DEFECT=\(defect.rawValue)"))
        #expect(!report.lines.isEmpty && report.lines.count <= 40)
        let again = Simulation.play(seed: report.seed, profile: Profile.named(report.profile), defect: defect)
        #expect(again.text == report.text)
        print("\(defect.rawValue): seed \(report.seed), \(report.violation.map { "\($0.rule): \($0.detail)" } ?? "")")
    }
}
