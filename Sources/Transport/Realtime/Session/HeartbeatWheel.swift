internal import NIOCore

/// A hashed timing wheel: which sessions of an event loop want to be looked at, and when. Confined to its loop.
///
/// There is one repeated task a loop and no timer a session. A session is known by a ticket (8 bytes), and re-arming
/// costs nothing: it stays in its slot, and the slot finds the new deadline when its turn comes (E12).
struct HeartbeatWheel {
    struct Ticket: Hashable, Sendable {
        let index: UInt32
        let generation: UInt32
    }

    static let slotCount = 512

    /// Time between two slots.
    let granularity: TimeAmount
    private var slots: [[Ticket]] = Array(repeating: [], count: slotCount)
    private var current = 0
    private var currentTime: NIODeadline

    init(granularity: TimeAmount, at now: NIODeadline) {
        self.granularity = granularity
        currentTime = now
    }

    /// Puts the ticket where `deadline` will be found: in its slot, or in the farthest, to be looked at again there.
    /// - Returns: when the slot's turn comes.
    mutating func insert(_ ticket: Ticket, deadline: NIODeadline) -> NIODeadline {
        let ticks = ticks(to: deadline)
        slots[(current + Int(ticks)) % Self.slotCount].append(ticket)
        return currentTime + granularity * ticks
    }

    /// When the turn of the slot comes in which a ticket with this deadline would be put.
    func turn(of deadline: NIODeadline) -> NIODeadline { currentTime + granularity * ticks(to: deadline) }

    private func ticks(to deadline: NIODeadline) -> Int64 {
        min(Int64(Self.slotCount - 1), max(0, (deadline - currentTime).nanoseconds) / granularity.nanoseconds + 1)
    }

    /// Moves on to `now` and gives every ticket whose slot was passed.
    mutating func advance(to now: NIODeadline) -> [Ticket] {
        var due: [Ticket] = []
        // Once round is enough after a long sleep.
        var budget = Self.slotCount
        while currentTime + granularity <= now, budget > 0 {
            budget -= 1
            currentTime = currentTime + granularity
            current = (current + 1) % Self.slotCount
            guard !slots[current].isEmpty else { continue }
            if due.isEmpty { swap(&due, &slots[current]) } else { due += slots[current] }
            slots[current].removeAll()
        }
        if currentTime + granularity <= now { currentTime = now }
        return due
    }
}
