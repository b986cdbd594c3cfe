/// What happened in a world: a digest of all of it, and the last lines in words when somebody wants to read them.
struct Trace {
    enum Kind: Int64 {
        case command, reply, rows, ledger, deliver, outcome, fault, budget, outbox, root
    }

    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var events = 0
    private let kept: Int
    private var ring: [String] = []

    /// - Parameter kept: how many last lines to keep in words. Words cost more than events, so a seed is told only when it failed.
    init(kept: Int) { self.kept = kept }

    mutating func note(
        _ kind: Kind, at time: Int64, _ first: Int64 = 0, _ second: Int64 = 0, _ third: Int64 = 0, say text: @autoclosure () -> String
    ) {
        events += 1
        mix(time)
        mix(kind.rawValue)
        mix(first)
        mix(second)
        mix(third)
        guard kept > 0 else { return }
        if ring.count >= max(kept, 1_000) * 2 { ring.removeFirst(ring.count - kept) }
        let line = text()
        if !line.isEmpty { ring.append("\(time % 100_000_000) \(line)") }
    }

    private mutating func mix(_ value: Int64) {
        digest = (digest ^ UInt64(bitPattern: value)) &* 0x0000_0100_0000_01B3
        digest ^= digest >> 29
    }

    var lines: [String] { ring.suffix(kept) }
}
