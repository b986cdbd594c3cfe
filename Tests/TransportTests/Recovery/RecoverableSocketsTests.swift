import JSON
import NIOPosix
import Testing

@testable import Transport

/// The sockets that may come back (R3). Needs nothing.
@Suite("Recovery: the sockets") struct RecoverableSocketsTests {
    private let place = LivePlace(loop: 0, eventLoop: MultiThreadedEventLoopGroup.singleton.any())

    private func id(_ number: UInt32) -> SessionID {
        var dice = LogDice(state: UInt64(number))
        return SessionID(node: 1, using: &dice)
    }

    private func table(
        _ count: UInt32, socketsMax: Int = 100, bytesMax: Int = 1 << 20, duration: UInt64 = 100
    ) -> RecoverableSockets {
        var table = RecoverableSockets(socketsMax: socketsMax, bytesMax: bytesMax, duration: duration)
        for number in 1...count {
            table.insert(
                RecoverableSocket(key: id(number), namespace: "/", start: .start, data: SocketData(), context: (), live: place),
                pid: id(1_000 + number))
        }
        return table
    }

    private func outcome(_ table: inout RecoverableSockets, _ number: UInt32, at now: UInt64, in namespace: String = "/") -> String {
        switch table.find(id(1_000 + number), in: namespace, at: now) {
        case .found(let socket): socket.live == nil ? "kept" : "live"
        case .expired: "expired"
        case .unknown: "unknown"
        }
    }

    @Test("it is kept for its time, is expired for as long again, and then nobody knows it") func time() {
        var table = table(1)
        #expect(outcome(&table, 1, at: 0) == "live" && outcome(&table, 2, at: 0) == "unknown")
        #expect(table.keep(id(1_001), rooms: [("me", .start)], at: 10) == 0)
        #expect(outcome(&table, 1, at: 109) == "kept" && outcome(&table, 1, at: 109, in: "/other") == "unknown")
        #expect(outcome(&table, 1, at: 110) == "expired" && !table.isKnown(id(1)))
        #expect(outcome(&table, 1, at: 209) == "expired" && outcome(&table, 1, at: 210) == "unknown")
        table.checkInvariants()
    }

    @Test("one that has come back has its whole time again") func again() {
        var table = table(1)
        for now: UInt64 in stride(from: 0, to: 1_000, by: 90) {
            _ = table.keep(id(1_001), rooms: [], at: now)
            // Its connection ends only once.
            _ = table.keep(id(1_001), rooms: [], at: now)
            #expect(outcome(&table, 1, at: now + 89) == "kept")
            table.resume(id(1_001), at: place)
            table.resume(id(1_001), at: place)
            table.checkInvariants()
        }
        #expect(table.keptCount == 0 && table.keptBytes == 0 && table.live(id(1)) === place)
    }

    @Test("above its limits the oldest are forgotten") func limits() {
        var table = table(5, socketsMax: 3)
        var early = 0
        for number: UInt32 in 1...5 { early += table.keep(id(1_000 + number), rooms: [], at: UInt64(number)) }
        #expect(early == 2 && outcome(&table, 2, at: 6) == "unknown" && outcome(&table, 3, at: 6) == "kept")
        table.checkInvariants()
        var small = self.table(3, bytesMax: 1_300)
        let rooms: [(name: String, since: RecoveryOffset)] = [(String(repeating: "r", count: 90), .start)]
        for number: UInt32 in 1...3 { _ = small.keep(id(1_000 + number), rooms: rooms, at: 1) }
        #expect(small.keptCount == 2 && outcome(&small, 1, at: 2) == "unknown")
        small.checkInvariants()
    }

    @Test("old turns of those that come and go do not pile up") func turns() {
        var table = table(1, duration: 1_000_000)
        let pid = id(1_001)
        for now: UInt64 in 0..<5_000 {
            _ = table.keep(pid, rooms: [], at: now)
            table.resume(pid, at: place)
        }
        table.checkInvariants()
        #expect(table.keptCount == 0 && table.turnCount <= 1_002)
    }

    @Test("commands reach those who are away: a room is joined and left, and who is thrown out does not come back") func commands() {
        var table = table(3)
        for number: UInt32 in 1...3 {
            _ = table.keep(id(1_000 + number), rooms: [(String(describing: id(number)), .start), ("team", .start)], at: 1)
        }
        func rooms(_ number: UInt32) -> [String] {
            guard case .found(let socket) = table.find(id(1_000 + number), in: "/", at: 2) else { return [] }
            return socket.rooms.map(\.name)
        }
        let first = String(describing: id(1))
        table.apply(.leave(["team", first], BroadcastTarget()), in: "/other", since: .start)
        table.apply(.leave(["team", first], BroadcastTarget(rooms: [first])), in: "/", since: .start)
        table.apply(.join(["late"], BroadcastTarget(rooms: ["team"])), in: "/", since: RecoveryOffset(rawValue: 7))
        #expect(rooms(1) == [first] && rooms(2).last == "late" && rooms(3).count == 3)
        table.apply(.disconnect(closingSessions: false, BroadcastTarget(except: ["late"])), in: "/", since: .start)
        #expect(rooms(1).isEmpty && rooms(2).count == 3 && table.keptCount == 2)
        table.checkInvariants()
    }

    @Test("what a client says is read strictly")
    func requests() {
        #expect(RecoveryRequest.read(["token": "x", "offset": "y"]) == .none && RecoveryRequest.read(["pid": .null]) == .none)
        for pid in [1, true, [], [:], "", "short", .string(String(repeating: "x", count: 100_000)), .bytes([1])] as [JSONValue] {
            #expect(RecoveryRequest.read(["pid": pid]) == .refused(.unknownSocket))
        }
        let pid = String(describing: id(1))
        for offset in [1, false, [], [:], "", "1", "-100000000000000", "99999999999999999999"] as [JSONValue] {
            #expect(RecoveryRequest.read(["pid": .string(pid), "offset": offset]) == .refused(.offsetUnknown))
        }
        #expect(RecoveryRequest.read(["pid": .string(pid)]) == .request(RecoveryRequest(pid: id(1), offset: nil)))
        #expect(RecoveryRequest.strip(["pid": .string(pid), "offset": "x", "token": "t"]) == ["token": "t"])
    }
}
