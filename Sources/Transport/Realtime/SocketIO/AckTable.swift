internal import JSON
internal import NIOCore

/// The acknowledgements that a client owes one socket, with their deadlines (S7, S22). A value of its socket's loop.
struct AckTable {
    typealias Answer = Result<[JSONValue], AcknowledgementError>

    private struct Entry {
        let token: UInt64
        let deadline: NIODeadline
        let complete: (Answer) -> Void
    }

    private var entries: [UInt64: Entry] = [:]
    private var nextID: UInt64 = 0
    /// No entry's deadline is earlier.
    private(set) var deadline = NIODeadline.distantFuture

    var count: Int { entries.count }

    /// The id of the packet that asks; nil when too many are outstanding.
    mutating func add(token: UInt64, deadline: NIODeadline, complete: @escaping (Answer) -> Void) -> UInt64? {
        guard entries.count < TransportLimits.acksPerSocketMax else { return nil }
        let id = nextID
        nextID += 1
        entries[id] = Entry(token: token, deadline: deadline, complete: complete)
        self.deadline = min(self.deadline, deadline)
        return id
    }

    /// An id that nobody waits for, or no longer, is ignored (S7).
    mutating func receive(_ id: UInt64, _ arguments: [JSONValue]) {
        entries.removeValue(forKey: id)?.complete(.success(arguments))
        if entries.isEmpty { deadline = .distantFuture }
    }

    mutating func cancel(token: UInt64) {
        guard let id = entries.first(where: { $0.value.token == token })?.key else { return }
        entries.removeValue(forKey: id)?.complete(.failure(.cancelled))
    }

    mutating func expire(at now: NIODeadline) {
        guard deadline <= now else { return }
        let overdue = entries.filter { $0.value.deadline <= now }
        for id in overdue.keys { entries.removeValue(forKey: id) }
        deadline = entries.values.map(\.deadline).min() ?? .distantFuture
        for entry in overdue.values { entry.complete(.failure(.timedOut)) }
    }

    mutating func failAll() {
        let all = entries
        entries = [:]
        deadline = .distantFuture
        for entry in all.values { entry.complete(.failure(.disconnected)) }
    }
}
