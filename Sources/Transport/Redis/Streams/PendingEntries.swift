internal import DequeModule

/// What this server has sent to the stream and has not read again, in the order of sending. A pure value.
///
/// What was read again or has failed is settled. It may be settled in any order, because a failure is known at another time than what
/// was read is.
struct PendingEntries<Item: Sendable>: Sendable {
    private struct Slot: Sendable {
        var item: Item?
        let bytes: Int
        /// Done when this is settled.
        var followers: [@Sendable () -> Void] = []
    }

    struct Settled: Sendable {
        let item: Item
        let followers: [@Sendable () -> Void]
    }

    private let countMax: Int
    private let bytesMax: Int
    private var slots: Deque<Slot> = []
    /// The number of the first slot.
    private var first: UInt64 = 1
    private(set) var bytes = 0
    /// Of those that are not settled.
    private(set) var count = 0

    init(countMax: Int = StreamLimits.pendingMax, bytesMax: Int = StreamLimits.pendingBytesMax) {
        self.countMax = countMax
        self.bytesMax = bytesMax
    }

    var isEmpty: Bool { count == 0 }

    /// - Returns: its number; nil when too much waits.
    mutating func append(_ item: Item, bytes size: Int) -> UInt64? {
        guard slots.count < countMax, bytes + size <= bytesMax else { return nil }
        slots.append(Slot(item: item, bytes: size))
        bytes += size
        count += 1
        return first + UInt64(slots.count) - 1
    }

    /// - Returns: nil for a number that was settled, or never given.
    mutating func settle(_ number: UInt64) -> Settled? {
        guard number >= first, number - first < UInt64(slots.count) else { return nil }
        let index = Int(number - first)
        guard let item = slots[index].item else { return nil }
        let settled = Settled(item: item, followers: slots[index].followers)
        slots[index].item = nil
        slots[index].followers = []
        bytes -= slots[index].bytes
        count -= 1
        while let slot = slots.first, slot.item == nil {
            slots.removeFirst()
            first += 1
        }
        return settled
    }

    /// Adds what is done when the last one is settled.
    ///
    /// - Returns: false when there is none: it is to be done now.
    mutating func follow(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard let index = slots.lastIndex(where: { $0.item != nil }) else { return false }
        slots[index].followers.append(body)
        return true
    }

    /// Takes what was to be done after the last ones, which may take long now.
    mutating func takeFollowers() -> [@Sendable () -> Void] {
        var taken: [@Sendable () -> Void] = []
        for index in slots.indices {
            taken += slots[index].followers
            slots[index].followers = []
        }
        return taken
    }

    /// The numbers of those that are not settled, oldest first.
    func numbers(where isMeant: (Item) -> Bool) -> [UInt64] {
        slots.enumerated().compactMap { index, slot in slot.item.map(isMeant) == true ? first + UInt64(index) : nil }
    }

    /// What must hold after every step; for tests.
    func checkInvariants() {
        let open = slots.filter { $0.item != nil }
        precondition(open.count == count && open.reduce(0) { $0 + $1.bytes } == bytes, "open entries are counted wrongly")
        precondition(slots.first.map { $0.item != nil } ?? true, "a settled entry is the first")
    }
}
