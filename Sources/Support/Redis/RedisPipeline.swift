internal import NIOCore

/// The commands of one connection that wait for a reply, in the order in which they were sent. A pure value.
///
/// A command whose deadline passes is answered, but its place is kept: the reply will still come and must not be taken for the next
/// command's.
struct RedisPipeline {
    typealias Completion = (Result<RedisValue, RedisFault>) -> Void

    /// Who a reply is for.
    enum Answer {
        /// Redis spoke without being asked.
        case nobody
        /// The caller has given up.
        case abandoned
        case caller(Completion)
    }

    private struct Place {
        let deadline: NIODeadline
        /// Nil once the caller has been told of the timeout.
        var completion: Completion?
    }

    private var places = CircularBuffer<Place>()
    /// Places from the front whose caller has already been told.
    private var abandoned = 0
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    var isFull: Bool { places.count >= limit }

    /// Deadlines never decrease from front to back, because a connection has one timeout.
    mutating func append(deadline: NIODeadline, _ completion: @escaping Completion) {
        places.append(Place(deadline: deadline, completion: completion))
    }

    /// Takes the place that the next reply belongs to.
    mutating func answered() -> Answer {
        guard let place = places.popFirst() else { return .nobody }
        guard let completion = place.completion else {
            abandoned -= 1
            return .abandoned
        }
        return .caller(completion)
    }

    /// Takes the callers whose deadline has passed. Their places stay.
    mutating func expired(at now: NIODeadline) -> [Completion] {
        var late: [Completion] = []
        while abandoned < places.count {
            let index = places.index(places.startIndex, offsetBy: abandoned)
            guard places[index].deadline <= now, let completion = places[index].completion else { break }
            places[index].completion = nil
            late.append(completion)
            abandoned += 1
        }
        return late
    }

    /// When ``expired(at:)`` has something to do next.
    var nextDeadline: NIODeadline? {
        guard abandoned < places.count else { return nil }
        return places[places.index(places.startIndex, offsetBy: abandoned)].deadline
    }

    /// The deadline of the oldest command without a reply.
    var oldestDeadline: NIODeadline? { places.first?.deadline }

    /// Takes every caller that still waits, and forgets all places: the connection is gone.
    mutating func removeAll() -> [Completion] {
        let waiting = places.compactMap(\.completion)
        places.removeAll()
        abandoned = 0
        return waiting
    }
}
