/// What happens next, ordered by time and then by the order in which it was scheduled.
struct Event {
    enum Kind: UInt8 {
        case take, arrive, reply, timeout, open, rootArrive, rootReply
    }

    let time: Int64
    let order: UInt32
    /// A place, or a command under way.
    let subject: UInt32
    /// Of a `take`: the place's generation and how many tokens.
    let generation: UInt32
    let count: Int32
    let kind: Kind
}

/// A ring of buckets of 128 µs: at millions of events a virtual second a heap would spend its time missing the cache.
struct CalendarQueue {
    private static let width: Int64 = 128
    private static let buckets = 1 << 16
    private var ring: ContiguousArray<[Event]> = ContiguousArray(repeating: [], count: buckets)
    /// Beyond one turn of the ring.
    private var later: [Event] = []
    private var current: [Event] = []
    private var at = 0
    private var bucket: Int64 = 0
    private var order: UInt32 = 0
    private(set) var count = 0

    mutating func push(_ kind: Event.Kind, at time: Int64, subject: Int, generation: UInt32 = 0, count tokens: Int = 0) {
        order &+= 1
        let event = Event(
            time: time, order: order, subject: UInt32(subject), generation: generation, count: Int32(tokens), kind: kind)
        insert(event)
        count += 1
    }

    mutating func pop() -> Event? {
        guard count > 0 else { return nil }
        while at == current.count { advance() }
        defer { at += 1 }
        count -= 1
        return current[at]
    }

    private mutating func insert(_ event: Event) {
        let number = event.time / Self.width
        if number <= bucket {
            // In the bucket that is being played: after everything that is not later.
            var low = at
            var high = current.count
            while low < high {
                let middle = (low + high) / 2
                if Self.isBefore(event, current[middle]) { high = middle } else { low = middle + 1 }
            }
            current.insert(event, at: low)
        } else if number - bucket < Int64(Self.buckets) {
            ring[Int(number) & (Self.buckets - 1)].append(event)
        } else {
            later.append(event)
        }
    }

    private mutating func advance() {
        bucket += 1
        let index = Int(bucket) & (Self.buckets - 1)
        current = ring[index]
        ring[index] = []
        current.sort(by: Self.isBefore)
        at = 0
        if index == 0 {
            let waiting = later
            later = []
            for event in waiting { insert(event) }
        }
    }

    private static func isBefore(_ left: Event, _ right: Event) -> Bool {
        left.time != right.time ? left.time < right.time : left.order < right.order
    }
}
