import NIOCore
import NIOEmbedded
import Testing

@testable import Transport

/// The timing wheel alone, and with sessions on a loop whose time stands still until a test moves it.
@Suite("Heartbeat wheel")
struct EngineIOWheelTests {
    @Test("A ticket's turn comes at its deadline or one tick later, never before; far ones are looked at on the way")
    func turns() {
        let tick = TimeAmount.milliseconds(10)
        for delay in [1, 9, 10, 11, 500, 5_000, 5_120, 60_000] {
            var wheel = HeartbeatWheel(granularity: tick, at: .uptimeNanoseconds(0))
            let ticket = HeartbeatWheel.Ticket(index: 7, generation: 1)
            let deadline = NIODeadline.uptimeNanoseconds(UInt64(delay) * 1_000_000)
            var look = wheel.insert(ticket, deadline: deadline)
            var now = NIODeadline.uptimeNanoseconds(0)
            while true {
                now = now + tick
                let due = wheel.advance(to: now)
                if due.isEmpty { continue }
                #expect(due == [ticket])
                #expect(look <= now)
                if deadline <= now { break }
                look = wheel.insert(ticket, deadline: deadline)
            }
            #expect(now - deadline <= tick, "\(delay) ms")
        }
    }

    @Test("The turn of a deadline is known before its ticket is put in, and stays the same until it comes")
    func known() {
        let tick = TimeAmount.milliseconds(10)
        for delay in [0, 1, 10, 4_999, 5_109] {
            var wheel = HeartbeatWheel(granularity: tick, at: .uptimeNanoseconds(0))
            let deadline = NIODeadline.uptimeNanoseconds(UInt64(delay) * 1_000_000)
            let turn = wheel.turn(of: deadline)
            #expect(wheel.insert(HeartbeatWheel.Ticket(index: 1, generation: 0), deadline: deadline) == turn)
            var now = NIODeadline.uptimeNanoseconds(0)
            while wheel.advance(to: now).isEmpty {
                #expect(wheel.turn(of: deadline) == turn, "nothing is put in twice")
                now = now + tick
            }
            #expect(now == turn)
        }
    }

    @Test("After a long sleep every ticket is given once") func sleeps() {
        var wheel = HeartbeatWheel(granularity: .milliseconds(10), at: .uptimeNanoseconds(0))
        for index in 0..<100 {
            _ = wheel.insert(
                HeartbeatWheel.Ticket(index: UInt32(index), generation: 0),
                deadline: .uptimeNanoseconds(UInt64(index) * 50_000_000))
        }
        let due = wheel.advance(to: .uptimeNanoseconds(3_600_000_000_000))
        #expect(Set(due.map(\.index)) == Set(0..<100))
        #expect(due.count == 100)
        #expect(wheel.advance(to: .uptimeNanoseconds(7_200_000_000_000)).isEmpty)
    }
}
