import NIOCore
import Testing

@testable import Transport

@Suite("Attack 29: how a drain is spread") struct DrainScheduleTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// Closes `sessions` and gives how many in each tenth of a second.
    private func run(_ sessions: Int, _ policy: DrainPolicy, tick milliseconds: Int64 = 10) -> [Int] {
        var schedule = DrainSchedule(policy, at: start)
        var waiting = sessions
        var tenths: [Int] = []
        var now: Int64 = 0
        while waiting > 0, tenths.count < 10_000 {
            let due = schedule.due(at: start + .milliseconds(now), waiting: waiting)
            waiting -= due
            while tenths.count <= Int(now / 100) { tenths.append(0) }
            tenths[Int(now / 100)] += due
            now += milliseconds
        }
        return tenths
    }

    @Test("attack 29: so many a second as asked, evenly") func even() throws {
        let tenths = run(2_000, try DrainPolicy(perSecond: 1_000, window: .seconds(60)))
        #expect(tenths.count == 20)
        #expect(tenths.allSatisfy { (80...110).contains($0) }, "\(tenths)")
        #expect(tenths.reduce(0, +) == 2_000)
    }

    @Test("attack 29: too many for the window go faster, evenly, and none is left when it ends") func window() throws {
        let tenths = run(50_000, try DrainPolicy(perSecond: 500, window: .seconds(5)))
        #expect(tenths.reduce(0, +) == 50_000 && tenths.count <= 51)
        #expect(tenths.dropLast(2).allSatisfy { (800...1_200).contains($0) }, "\(tenths)")
    }

    @Test("attack 29: a few are gone in an instant, with no window all at once, and an empty server asks for nothing") func few() throws {
        #expect(run(1, try DrainPolicy()) == [1])
        #expect(run(5, try DrainPolicy()) == [5])
        #expect(run(20_000, try DrainPolicy(window: .zero)) == [20_000])
        var schedule = DrainSchedule(try DrainPolicy(), at: start)
        #expect(schedule.due(at: start + .seconds(60), waiting: 0) == 0)
    }

    @Test("attack 29: time in which nothing waited is not made up for") func idle() throws {
        var schedule = DrainSchedule(try DrainPolicy(perSecond: 100, window: .seconds(60)), at: start)
        #expect(schedule.due(at: start, waiting: 1) == 1)
        for second in 1..<20 { #expect(schedule.due(at: start + .seconds(Int64(second)), waiting: 0) == 0) }
        #expect(schedule.due(at: start + .milliseconds(19_100), waiting: 1_000) <= 12)
        // A loop that stood still makes up for a second at most.
        #expect(schedule.due(at: start + .seconds(40), waiting: 1_000) <= 101)
    }

    @Test("a policy that cannot be kept is refused") func checked() {
        #expect(throws: TransportConfigurationError.self) { try DrainPolicy(perSecond: 0) }
        #expect(throws: TransportConfigurationError.self) { try DrainPolicy(window: .seconds(-1)) }
        #expect(throws: TransportConfigurationError.self) { try DrainPolicy(window: .seconds(3_601)) }
    }
}
