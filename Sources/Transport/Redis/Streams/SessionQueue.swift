internal import DequeModule
internal import Transport

/// The sockets that are to be kept in Redis, or forgotten: the latest of each waits. A pure value.
struct SessionQueue: Sendable {
    enum Condition: Sendable, Hashable {
        case always
        /// What was taken is not written again.
        case ifThere
        /// It was found to be gone, and nobody has said that it was taken.
        case ifNotThere
    }

    struct Write: Sendable, Hashable {
        /// Nil: it is deleted.
        var value: [UInt8]?
        var milliseconds: Int64
        var condition: Condition
    }

    private let waitingMax: Int
    private let onTheWayMax: Int
    private var waiting: [SessionID: Write] = [:]
    private var order: Deque<SessionID> = []
    private(set) var onTheWay = 0
    /// After a fault, until it is tried again.
    private(set) var isPaused = false

    init(waitingMax: Int = StreamLimits.sessionsWaitingMax, onTheWayMax: Int = StreamLimits.sessionsOnTheWayMax) {
        self.waitingMax = waitingMax
        self.onTheWayMax = onTheWayMax
    }

    var isIdle: Bool { waiting.isEmpty && onTheWay == 0 }
    var waitingCount: Int { waiting.count }

    /// - Returns: false when too many wait.
    mutating func put(_ pid: SessionID, _ write: Write) -> Bool {
        if let older = waiting[pid] {
            waiting[pid] = Self.merge(older, write)
            return true
        }
        guard waiting.count < waitingMax else { return false }
        waiting[pid] = write
        order.append(pid)
        return true
    }

    /// The newer value under the older one's condition, if that one has not made what the newer one expects.
    private static func merge(_ older: Write, _ newer: Write) -> Write {
        guard newer.value != nil, newer.condition != .always, older.value != nil, older.condition != .ifThere else { return newer }
        return Write(value: newer.value, milliseconds: newer.milliseconds, condition: older.condition)
    }

    /// The next one to send; nil while enough is on its way.
    mutating func next() -> (pid: SessionID, write: Write)? {
        guard !isPaused, onTheWay < onTheWayMax else { return nil }
        while let pid = order.popFirst() {
            if let write = pull(pid) { return (pid, write) }
        }
        return nil
    }

    /// That of one socket, which is asked for now.
    mutating func pull(_ pid: SessionID) -> Write? {
        guard let write = waiting.removeValue(forKey: pid) else { return nil }
        onTheWay += 1
        return write
    }

    mutating func succeeded() { onTheWay -= 1 }

    /// It waits again, unless something newer does.
    ///
    /// - Returns: true when the queue has stopped now, until ``resume()``.
    mutating func failed(_ pid: SessionID, _ write: Write) -> Bool {
        onTheWay -= 1
        if let newer = waiting[pid] {
            waiting[pid] = Self.merge(write, newer)
        } else {
            _ = put(pid, write)
        }
        defer { isPaused = true }
        return !isPaused
    }

    mutating func resume() { isPaused = false }
}
