internal import DequeModule
internal import NIOCore

/// The events that sockets may have missed, in the order in which they were emitted (R2, R8). A value that knows no clock;
/// guarded by ``Recovery``.
///
/// Each room has the list of its events, so that what one socket missed is found by a binary search in each of its rooms,
/// and a busy room takes nothing from the others' answers: what is let go early to save room is remembered by room.
struct RecoveryLog {
    struct Entry {
        let offset: RecoveryOffset
        let namespace: String
        let target: BroadcastTarget
        let frames: SharedFrames

        /// Bytes that keeping it costs: what the buffer holds, and its places in the lists.
        var weight: Int {
            let rooms = target.rooms ?? []
            return rooms.reduce(frames.frames.storageCapacity + 160) { $0 + $1.utf8.count + 64 }
                + target.except.reduce(0) { $0 + $1.utf8.count + 16 }
        }
    }

    /// A room, or with nil everybody, of a namespace.
    private struct Place: Hashable {
        let namespace: String
        let room: String?
    }

    private let eventsMax: Int
    private let bytesMax: Int
    /// After this time nobody can miss an event any more; in the unit of the offsets, as are all times here.
    private let retention: UInt64
    private var entries: Deque<Entry> = []
    private var places: [Place: Deque<RecoveryOffset>] = [:]
    /// The latest event of a place that was let go before its time, and the places roughly by age.
    private var lost: [Place: RecoveryOffset] = [:]
    private var lostOrder: Deque<(place: Place, offset: RecoveryOffset)> = []
    /// Everything up to here has gone.
    private(set) var floor = RecoveryOffset.start
    /// The latest event's.
    private(set) var last: RecoveryOffset
    private(set) var bytes = 0

    init(eventsMax: Int, bytesMax: Int, retention: UInt64, at now: UInt64) {
        self.init(eventsMax: eventsMax, bytesMax: bytesMax, retention: retention, last: RecoveryOffset(rawValue: now))
    }

    init(eventsMax: Int, bytesMax: Int, retention: UInt64, last: RecoveryOffset) {
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
        self.retention = retention
        self.last = last
    }

    var count: Int { entries.count }

    /// The place of an event that is emitted now.
    func next(at now: UInt64) -> RecoveryOffset { RecoveryOffset(rawValue: max(now, last.rawValue + 1)) }

    /// Keeps an event whose offset is ``next(at:)``.
    ///
    /// - Returns: how many were let go before their time to make room.
    mutating func append(_ entry: Entry, at now: UInt64) -> Int {
        assert(entry.offset > last, "an event out of order")
        last = entry.offset
        forgetOld(at: now)
        if entry.target.rooms?.isEmpty == true { return 0 }
        forEachPlace(of: entry.target, in: entry.namespace) { log, place in log.places[place, default: []].append(entry.offset) }
        bytes += entry.weight
        entries.append(entry)
        var early = 0
        while entries.count > eventsMax || bytes > bytesMax, let first = entries.first {
            forEachPlace(of: first.target, in: first.namespace) { log, place in log.lose(place, first.offset) }
            removeFirst()
            early += 1
        }
        // As many as there may be events: beyond it, what is lost is not told apart by room any more.
        while lost.count > eventsMax { forgetLost() }
        return early
    }

    /// A place in the order at which there is nothing that is kept.
    mutating func pass(_ offset: RecoveryOffset) { last = max(last, offset) }

    /// An event that was emitted up to here is not kept.
    mutating func lose(_ target: BroadcastTarget, in namespace: String, at offset: RecoveryOffset) {
        pass(offset)
        forEachPlace(of: target, in: namespace) { log, place in log.lose(place, offset) }
        while lost.count > eventsMax { forgetLost() }
    }

    /// Nobody who has seen less than this is told what is missing: not all of it is here.
    mutating func cut(at offset: RecoveryOffset) {
        entries = []
        places = [:]
        lost = [:]
        lostOrder = []
        bytes = 0
        floor = max(floor, offset)
        pass(offset)
    }

    private mutating func lose(_ place: Place, _ offset: RecoveryOffset) {
        if lost.updateValue(offset, forKey: place) == nil { lostOrder.append((place, offset)) }
    }

    private mutating func forgetLost() {
        guard let oldest = lostOrder.popFirst(), let offset = lost.removeValue(forKey: oldest.place) else { return }
        floor = max(floor, offset)
    }

    /// Lets go of what nobody can have missed.
    mutating func forgetOld(at now: UInt64) {
        let oldest = RecoveryOffset(rawValue: now > retention ? now - retention : 0)
        while let first = entries.first, first.offset < oldest {
            floor = max(floor, first.offset)
            removeFirst()
        }
        while let first = lostOrder.first, first.offset < oldest {
            guard let latest = lost[first.place], latest >= oldest else {
                forgetLost()
                continue
            }
            // It has lost more since: looked at again when that is old.
            lostOrder.removeFirst()
            lostOrder.append((first.place, latest))
        }
    }

    private mutating func removeFirst() {
        let entry = entries.removeFirst()
        bytes -= entry.weight
        forEachPlace(of: entry.target, in: entry.namespace) { log, place in
            guard var offsets = log.places.removeValue(forKey: place) else { return }
            // Its own is the first; a target may name a room twice.
            if offsets.first == entry.offset { offsets.removeFirst() }
            if !offsets.isEmpty { log.places[place] = offsets }
        }
    }

    private mutating func forEachPlace(
        of target: BroadcastTarget, in namespace: String, _ body: (inout RecoveryLog, Place) -> Void
    ) {
        guard let rooms = target.rooms else { return body(&self, Place(namespace: namespace, room: nil)) }
        for room in rooms { body(&self, Place(namespace: namespace, room: room)) }
    }

    // MARK: What was missed

    /// What a client that has seen everything up to `offset` missed (R5), oldest first.
    ///
    /// - Parameters:
    ///   - rooms: the socket's, its own among them, each with the place since which it is in there: what was emitted to
    ///     a room before is not for it, however old the client's offset is.
    ///   - start: since when the socket is in the namespace.
    /// - Returns: nil when something of it may be gone.
    func missed(
        after offset: RecoveryOffset, in namespace: String, rooms: [(name: String, since: RecoveryOffset)], start: RecoveryOffset
    ) -> [SharedFrames]? {
        guard offset <= last, max(offset, start) >= floor else { return nil }
        var found: Set<RecoveryOffset> = []
        for (room, since) in rooms.map({ (Optional($0.name), max($0.since, start)) }) + [(nil, start)] {
            let place = Place(namespace: namespace, room: room)
            let after = max(offset, since)
            if let gone = lost[place], gone > after { return nil }
            guard let offsets = places[place] else { continue }
            found.formUnion(offsets[Self.firstIndex(in: offsets) { $0 > after }...])
        }
        let names = Set(rooms.map(\.name))
        return found.sorted().compactMap { offset in
            let entry = entries[Self.firstIndex(in: entries) { $0.offset >= offset }]
            return entry.target.except.contains { names.contains($0) } ? nil : entry.frames
        }
    }

    /// The first element of a sorted list for which `isMet` holds; O(log n).
    private static func firstIndex<Element>(in list: Deque<Element>, where isMet: (Element) -> Bool) -> Int {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if isMet(list[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// What must hold after every step; for tests.
    func checkInvariants() {
        precondition(bytes == entries.reduce(0) { $0 + $1.weight }, "bytes are counted wrongly")
        precondition(zip(entries, entries.dropFirst()).allSatisfy { $0.offset < $1.offset }, "out of order")
        let known = Set(entries.map(\.offset))
        precondition(places.values.allSatisfy { !$0.isEmpty && $0.allSatisfy(known.contains) }, "a room remembers what is gone")
        precondition(lost.count == lostOrder.count, "a lost place is not in order")
        precondition(entries.count <= eventsMax && bytes <= bytesMax && lost.count <= eventsMax, "a limit is passed")
    }
}
