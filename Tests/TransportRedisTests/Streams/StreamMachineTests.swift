import RedisClient
import Synchronization
import Testing
import Transport

@testable import TransportRedis

/// What is on its way to the stream, what is to be kept, and where a server is. Pure values; needs nothing.
@Suite("Stream: the machines") struct StreamMachineTests {
    private func place(_ millisecond: UInt64, _ number: UInt64 = 0) -> RecoveryOffset {
        RecoveryOffset(millisecond: millisecond, number: number)
    }

    @Test("entries are settled in any order, once, and no more wait than may") func pending() {
        var pending = PendingEntries<String>(countMax: 4, bytesMax: 100)
        #expect(pending.isEmpty && pending.settle(1) == nil)
        #expect(["a", "b", "c"].map { pending.append($0, bytes: 30) } == [1, 2, 3])
        #expect(pending.append("too much", bytes: 11) == nil && pending.append("d", bytes: 10) == 4)
        #expect(pending.append("too many", bytes: 0) == nil)
        #expect(pending.settle(2)?.item == "b" && pending.settle(2) == nil && pending.settle(5) == nil && pending.settle(0) == nil)
        pending.checkInvariants()
        #expect(pending.numbers { $0 != "c" } == [1, 4])
        #expect(pending.settle(1)?.item == "a" && pending.count == 2 && pending.bytes == 40)
        #expect(pending.append("e", bytes: 60) == 5)
        for number: UInt64 in [5, 3, 4] { #expect(pending.settle(number) != nil) }
        #expect(pending.isEmpty && pending.bytes == 0 && pending.append("f", bytes: 1) == 6)
        pending.checkInvariants()
    }

    @Test("what follows waits for the last that was sent, and for nothing when nothing is on its way") func followers() {
        var pending = PendingEntries<Int>()
        let done = Mutex(0)
        let body: @Sendable () -> Void = { done.withLock { $0 += 1 } }
        #expect(pending.follow(body) == false)
        _ = pending.append(1, bytes: 1)
        _ = pending.append(2, bytes: 1)
        #expect(pending.follow(body) == true)
        #expect(pending.settle(1)?.followers.count == 0)
        for follower in pending.settle(2)?.followers ?? [] { follower() }
        #expect(done.withLock { $0 } == 1)
        _ = pending.append(3, bytes: 1)
        #expect(pending.follow(body) && pending.takeFollowers().count == 1 && pending.settle(3)?.followers.count == 0)
    }

    @Test("a socket waits once, with its latest; what was taken is not written again") func sessions() throws {
        let pid = try #require(SessionID("AAAAAAAAAAAAAAAAAAAA"))
        let other = try #require(SessionID("BBBBBBBBBBBBBBBBBBBB"))
        func write(_ value: UInt8?, _ condition: SessionQueue.Condition) -> SessionQueue.Write {
            SessionQueue.Write(value: value.map { [$0] }, milliseconds: 10, condition: condition)
        }
        var queue = SessionQueue(waitingMax: 2, onTheWayMax: 1)
        for value: UInt8 in 1...3 { #expect(queue.put(pid, write(value, value == 1 ? .always : .ifThere)) == true) }
        #expect(queue.put(other, write(9, .ifThere)) && queue.waitingCount == 2)
        let front = queue.next()
        let first = try #require(front)
        #expect(first.pid == pid && first.write == write(3, .always), "what made it had not left")
        #expect(queue.next() == nil, "one is on its way")
        // While it is on its way something newer comes; it fails.
        #expect(queue.put(pid, write(4, .ifThere)) == true)
        #expect(queue.failed(first.pid, first.write) && queue.isPaused && queue.next() == nil)
        queue.resume()
        let second = queue.next()
        let next = try #require(second)
        #expect(next.pid == other)
        queue.succeeded()
        #expect(queue.next()?.write == write(4, .always))
        queue.succeeded()
        #expect(queue.isIdle)
        // Forgotten before it was made, and made again.
        #expect(queue.put(pid, write(1, .always)) && queue.put(pid, write(nil, .always)) && queue.put(pid, write(2, .always)))
        #expect(queue.pull(pid) == write(2, .always) && queue.pull(pid) == nil && queue.next() == nil)
        queue.succeeded()
        // An update never makes what an update was.
        #expect(queue.put(pid, write(1, .ifThere)) && queue.put(pid, write(2, .ifThere)) && queue.pull(pid) == write(2, .ifThere))
        #expect(queue.failed(pid, write(2, .ifThere)) == true)
        let third = try #require(SessionID("CCCCCCCCCCCCCCCCCCCC"))
        #expect(queue.put(other, write(1, .always)) && !queue.put(third, write(1, .always)), "too many")
    }

    @Test("a server begins where somebody may have missed something, and nowhere that is gone") func begins() {
        #expect(StreamPosition.begin(nil, retention: 100).last == place(0))
        #expect(StreamPosition.begin(.init(last: place(1_000, 7), first: place(10)), retention: 100).last == place(900))
        #expect(StreamPosition.begin(.init(last: place(1_000, 7), first: place(950, 3)), retention: 100).last == place(950, 3))
        #expect(StreamPosition.begin(.init(last: place(50), first: nil), retention: 100).last == place(50))
    }

    @Test("after a loss it goes on, says what Redis has lost, or what was let go unread") func looks() {
        let position = StreamPosition(last: place(100, 5))
        #expect(position.look(at: .init(last: place(100, 5), first: place(1))) == .goesOn)
        #expect(position.look(at: .init(last: place(200), first: place(100, 5))) == .goesOn)
        #expect(position.look(at: .init(last: place(200), first: place(100, 6))) == .goesOn)
        #expect(position.look(at: .init(last: place(200), first: place(100, 7))) == .isAhead(from: place(100, 6)))
        #expect(position.look(at: .init(last: place(100, 4), first: place(1))) == .isBehind(next: place(100, 6)))
        #expect(position.look(at: nil) == .isBehind(next: place(100, 6)))
        let info: RedisValue = .array([
            .text("length"), .integer(1), .text("last-generated-id"), .text("200-1"), .text("first-entry"),
            .array([.text("100-7"), .array([])]),
        ])
        #expect(StreamPosition.Extent(info) == .init(last: place(200, 1), first: place(100, 7)))
        #expect(StreamPosition.Extent(.array([.text("last-generated-id"), .text("x")])) == nil)
        #expect(
            StreamPosition.Extent(.array([.text("last-generated-id"), .text("1-0"), .text("first-entry"), .null]))
                == .init(last: place(1), first: nil))
    }
}
