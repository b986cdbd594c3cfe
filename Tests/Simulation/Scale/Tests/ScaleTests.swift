import ScaleWorld
import Testing

@Suite("Worlds of scale (docs/scale.md)")
struct ScaleTests {
    private static func settings(slots: Int, isNearCap: Bool) -> ScaleSettings {
        var settings = ScaleSettings()
        settings.streams = 2_000
        settings.nodes = 10
        settings.masters = 4
        settings.hotSlots = slots
        settings.isBalanced = true
        settings.isNearCap = isNearCap
        settings.warmUp = 1
        settings.seconds = 3
        return settings
    }

    @Test("nothing is overspent, in one set of counters or several, far from the caps and at them", arguments: [1, 4], [false, true])
    func invariants(slots: Int, isNearCap: Bool) {
        let report = Scale.play(Self.settings(slots: slots, isNearCap: isNearCap))
        #expect(report.violation == nil)
        // The world is not empty: streams live, spend and are charged, and near the cap they are cut.
        #expect(report.live > 1_500 && report.tokens > 40_000 && report.rows > 600)
        #expect(report.cuts.isEmpty != isNearCap)
        #expect(report.timeouts == 0, "four masters carry so few")
    }

    @Test("the same settings give the same tables, and another seed others")
    func sameSeed() {
        var settings = Self.settings(slots: 4, isNearCap: true)
        let (first, second) = (Scale.play(settings), Scale.play(settings))
        #expect(ScaleTable.load([first]) == ScaleTable.load([second]))
        #expect(ScaleTable.cuts([first]) == ScaleTable.cuts([second]))
        #expect(first.events == second.events)
        settings.seed = 2
        #expect(Scale.play(settings).events != first.events)
    }

    @Test("a master that is asked for more than it can do answers late, and its streams are cut for that")
    func overload() {
        var settings = Self.settings(slots: 1, isNearCap: false)
        settings.costs.step = 10_000
        let report = Scale.play(settings)
        #expect(report.violation == nil)
        #expect(report.utilisation.last ?? 0 > 1 && report.timeouts > 0 && report.failures > 0)
    }

    @Test("counters that keep what the root has taken back from them are seen")
    func defect() {
        var settings = Self.settings(slots: 4, isNearCap: true)
        settings.seconds = 8
        settings.keepsRecalled = true
        let report = Scale.play(settings)
        #expect(report.violation?.contains("I1") == true, "\(report.violation ?? "nothing was seen")")
    }
}
