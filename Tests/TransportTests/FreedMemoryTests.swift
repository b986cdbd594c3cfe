import Testing

@testable import Transport

@Suite("Memory that connections left behind")
struct FreedMemoryTests {
    /// What each look at these numbers of connections says.
    private func looks(_ counts: [Int]) -> [Bool] {
        var freed = FreedMemory()
        return counts.map { freed.look(now: $0, most: $0) }
    }

    @Test("it is given back once, when all have left")
    func onceAfterAStorm() {
        #expect(looks([0, 5_000, 5_000, 0, 0, 0, 0]) == [false, false, false, false, true, false, false])
    }

    @Test("it is not while connections are still leaving, and is when that ends")
    func notWhileTheyLeave() {
        #expect(looks([5_000, 3_000, 2_000, 1_000, 990, 990]) == [false, false, false, false, false, true])
    }

    @Test("clients that come back at once find the memory that they left")
    func notBetweenStorms() {
        #expect(looks([5_000, 0, 5_000, 0, 4_000, 5_000]) == Array(repeating: false, count: 6))
    }

    @Test("a coming and going of some is no reason, nor are few")
    func notForFew() {
        #expect(looks([5_000, 3_000, 3_000, 2_500, 2_500]) == Array(repeating: false, count: 5))
        #expect(looks([200, 0, 0, 255, 0, 0]) == Array(repeating: false, count: 6))
        #expect(looks([256, 0, 0]) == [false, false, true])
    }

    @Test("those that came and left between two looks count")
    func between() {
        var freed = FreedMemory()
        let looks = [2, 5_000, 2].map { freed.look(now: 2, most: $0) }
        #expect(looks == [false, true, false])
    }

    @Test("the next time counts from what was left")
    func again() {
        #expect(looks([1_000, 300, 300, 280, 280, 20, 20]) == [false, false, true, false, false, false, true])
    }

    @Test("what is free between what lives on goes back to the kernel")
    func giveBack() async {
        // 60 MiB in small pieces, of which every hundredth stays: none of the heap's end becomes free.
        var pieces = (0..<100_000).map { _ in UnsafeMutablePointer<UInt8>.allocate(capacity: 600) }
        for piece in pieces { piece.initialize(repeating: 1, count: 600) }
        var kept: [UnsafeMutablePointer<UInt8>] = []
        for (index, piece) in pieces.enumerated() {
            if index % 100 == 0 { kept.append(piece) } else { piece.deallocate() }
        }
        pieces = []
        let before = ProcessFigures.residentBytes
        await FreedMemory.giveBack()
        #expect(before == 0 || ProcessFigures.residentBytes < before - (20 << 20))
        for piece in kept { piece.deallocate() }
    }
}
