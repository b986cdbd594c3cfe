import NIOCore
import Testing

@testable import Transport

@Suite("Attack 26: the table of addresses") struct AddressTableTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func table(addresses: Int = 65_536, _ change: (inout RateLimits) throws -> Void) rethrows -> AddressTable {
        var limits = RateLimits()
        limits.addressesMax = addresses
        try change(&limits)
        return AddressTable(limits)
    }

    private func address(_ number: Int) -> ClientAddress { ClientAddress(high: 0x2001_0DB8 << 32 | UInt64(number), low: 0) }

    private func seat(_ verdict: AddressTable.Verdict) throws -> AddressTable.Seat {
        guard case .admitted(let seat) = verdict else {
            Issue.record("refused: \(verdict)")
            return .exempt
        }
        return seat
    }

    @Test("attack 26: an address opens its burst and then its rate, others are not touched, and refusals cost nothing") func rate() throws {
        var table = try table { $0.sessions = try .init(2, burst: 3) }
        for _ in 0..<3 { #expect(table.open(address(1), isUpgrade: false, at: start) == .admitted(.address(address(1)))) }
        for _ in 0..<10 {
            #expect(table.open(address(1), isUpgrade: false, at: start) == .refused(.sessions, retryAfter: .milliseconds(500)))
        }
        #expect(table.open(address(2), isUpgrade: false, at: start) == .admitted(.address(address(2))))
        #expect(table.open(address(1), isUpgrade: false, at: start + .milliseconds(500)) == .admitted(.address(address(1))))
    }

    @Test("attack 26: upgrades have a rate of their own, for new sessions and for old ones") func upgrades() throws {
        var table = try table { $0.upgrades = try .init(1, burst: 2) }
        let seat = try seat(table.open(address(1), isUpgrade: false, at: start))
        #expect(table.upgrade(seat, at: start) == .admitted(seat))
        #expect(table.open(address(1), isUpgrade: true, at: start) == .admitted(seat))
        #expect(table.open(address(1), isUpgrade: true, at: start) == .refused(.upgrades, retryAfter: .seconds(1)))
        #expect(table.upgrade(seat, at: start) == .refused(.upgrades, retryAfter: .seconds(1)))
        #expect(table.open(address(1), isUpgrade: false, at: start) == .admitted(seat))
        #expect(table.upgrade(.exempt, at: start) == .admitted(.exempt))
    }

    @Test("attack 26: sessions that are open at one time are counted in and out") func open() throws {
        var table = table { $0.openSessionsMax = 2 }
        let first = try seat(table.open(address(1), isUpgrade: false, at: start))
        _ = try seat(table.open(address(1), isUpgrade: true, at: start))
        #expect(table.open(address(1), isUpgrade: false, at: start) == .refused(.open, retryAfter: AddressTable.openRetryAfter))
        table.close(first)
        #expect(table.open(address(1), isUpgrade: false, at: start) == .admitted(first))
        table.close(.exempt)
    }

    @Test("attack 26: beyond the bound strangers share one place, those who are known do not notice, and idle ones are forgotten")
    func bounded() throws {
        var table = try table(addresses: 100) {
            $0.sessions = try .init(1, burst: 1)
            $0.openSessionsMax = 5
        }
        var seats: [AddressTable.Seat] = []
        for number in 0..<100 { seats.append(try seat(table.open(address(number), isUpgrade: false, at: start))) }
        #expect(table.count == 100)
        // All are in use: the next ones are one.
        #expect(table.open(address(1_000), isUpgrade: false, at: start) == .admitted(.shared))
        #expect(table.open(address(1_001), isUpgrade: false, at: start) == .refused(.sessions, retryAfter: .seconds(1)))
        #expect(table.count == 100)
        #expect(table.open(address(7), isUpgrade: false, at: start + .seconds(1)) == .admitted(.address(address(7))))
        // Half of them go: they are forgotten when their rate is full again, and there are places.
        for seat in seats[..<50] where seat != .address(address(7)) { table.close(seat) }
        let later = start + .seconds(10)
        #expect(table.open(address(1_002), isUpgrade: false, at: later) == .admitted(.address(address(1_002))))
        #expect(table.count == 52)
        table.close(.shared)
        // A session that ends long after its address was forgotten changes nothing.
        table.close(.address(address(3)))
        #expect(table.count == 52)
    }

    @Test("attack 26: a full table is looked through once a second and no more often") func sweeps() throws {
        var table = try table(addresses: 2_000) { $0.sessions = try .init(1_000, burst: 1) }
        var open: [AddressTable.Seat] = []
        for number in 0..<2_000 { open.append(try seat(table.open(address(number), isUpgrade: false, at: start))) }
        #expect(table.open(address(5_000), isUpgrade: false, at: start) == .admitted(.shared))
        for seat in open { table.close(seat) }
        #expect(table.open(address(5_001), isUpgrade: false, at: start + .milliseconds(999)) == .admitted(.shared))
        #expect(table.open(address(5_002), isUpgrade: false, at: start + .milliseconds(1_001)) == .admitted(.address(address(5_002))))
        #expect(table.count == 1)
    }
}
