import Testing

@testable import kdcube

@Suite("A count and its charges, compared while both move (pure)")
struct CountComparisonTests {
    /// A window whose count is wrong by `error`, looked at while charges come: how much is charged between each two reads.
    private func compare(error: Int64, charges: [(beforeSum: Int64, afterSum: Int64)]) -> CountComparison {
        var comparison = CountComparison()
        var total: Int64 = 1_000_000
        for step in charges where comparison.verdict == .open {
            let before = total + error
            total += step.beforeSum
            let charged = total
            total += step.afterSum
            comparison.look(before: before, charged: charged, after: total + error)
        }
        return comparison
    }

    @Test("nothing passes: one look says that they agree")
    func still() {
        let comparison = compare(error: 0, charges: [(0, 0)])
        #expect(comparison.verdict == .agree && !comparison.differs)
    }

    @Test(
        "a difference smaller than what passes in a look is hidden from that look and found by more", arguments: [12_345, -12_345, 1, -1])
    func hidden(error: Int64) {
        #expect(compare(error: error, charges: [(20_000, 20_000)]).verdict == .open)
        let comparison = compare(
            error: error, charges: [(20_000, 20_000), (0, 30_000), (30_000, 0), (0, 0), (20_000, 20_000), (20_000, 20_000)])
        #expect(comparison.verdict == .differ && comparison.counted - comparison.charged == error)
    }

    @Test("looks bound the difference from both sides, also when something passes in each")
    func bounded() {
        let comparison = compare(error: 0, charges: [(0, 30_000), (30_000, 0)])
        #expect(comparison.verdict == .agree && comparison.bounds == 0...0)
        let open = compare(error: 0, charges: [(400, 30_000), (30_000, 700)])
        #expect(open.verdict == .open && open.bounds == -400...700 && !open.differs)
    }

    @Test("a difference is said after three looks in a row that rule out agreement; no number of looks that allow it will do")
    func confirmed() {
        #expect(compare(error: 5, charges: [(0, 0), (0, 0)]).verdict == .open)
        #expect(compare(error: 5, charges: [(0, 0), (0, 0)]).differs)
        #expect(compare(error: 5, charges: [(0, 0), (0, 0), (0, 0)]).verdict == .differ)
        #expect(compare(error: 5, charges: Array(repeating: (10, 10), count: 40)).verdict == .open)
    }

    @Test("a count that something else has moved is compared anew")
    func rebuilt() {
        var comparison = CountComparison()
        comparison.look(before: 112, charged: 100, after: 112)
        comparison.look(before: 112, charged: 100, after: 112)
        comparison.look(before: 100, charged: 100, after: 100)
        #expect(comparison.verdict == .agree)
    }

    @Test("a count that somebody set to anything is no overflow")
    func extremes() {
        var comparison = CountComparison()
        for _ in 0..<3 { comparison.look(before: .min, charged: .max, after: .max) }
        #expect(comparison.verdict == .open)
        for _ in 0..<3 { comparison.look(before: .min, charged: .max, after: .min) }
        #expect(comparison.verdict == .differ && comparison.counted == .min)
    }

    @Test("charges that are taken back move the count down")
    func downwards() {
        let comparison = compare(error: 0, charges: [(-500, -300), (0, -200), (-200, 0)])
        #expect(comparison.verdict == .agree)
        #expect(compare(error: 40, charges: [(0, -30), (-30, 0), (0, 0)]).verdict == .differ)
    }
}
