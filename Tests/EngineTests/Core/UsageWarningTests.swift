import Testing

@testable import Engine

@Suite("Warnings before the cut (pure)")
struct UsageWarningTests {
    @Test("each threshold is told once, in order, also those that were passed between two looks")
    func order() {
        var warnings = UsageWarnings(told: nil)
        #expect(warnings.due(nil) == [])
        #expect(warnings.due(50) == [50])
        #expect(warnings.due(50) == [])
        #expect(warnings.due(95) == [80, 95])
        #expect(warnings.due(80) == [] && warnings.due(95) == [])
        var late = UsageWarnings(told: 80)
        #expect(late.due(80) == [] && late.due(95) == [95])
        var sudden = UsageWarnings(told: nil)
        #expect(sudden.due(95) == [50, 80, 95])
    }
}
