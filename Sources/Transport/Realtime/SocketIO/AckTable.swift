internal import JSON
internal import NIOCore

/// The acknowledgements that a client owes one socket, with their deadlines (S7, S22). A value of its socket's loop;
/// it hands back who waits instead of calling, because whoever is called may ask the next question.
struct AckTable {
    typealias Answer = Result<[JSONValue], AcknowledgementError>

    private struct Entry {
        let token: UInt64
        let deadline: NIODeadline
        let complete: (Answer) -> Void
    }

    private var entries: [UInt64: Entry] = [:]
    /// No entry's deadline is earlier.
    private(set) var deadline = NIODeadline.distantFuture

    var count: Int { entries.count }

    func contains(_ id: UInt64) -> Bool { entries[id] != nil }

    /// - Parameters:
    ///   - id: the packet's, new in its namespace (S7).
    ///   - token: what ``cancel(token:)`` names it by.
    /// - Returns: false when too many are outstanding.
    mutating func add(_ id: UInt64, token: UInt64, deadline: NIODeadline, complete: @escaping (Answer) -> Void) -> Bool {
        guard entries.count < TransportLimits.acksPerSocketMax else { return false }
        entries[id] = Entry(token: token, deadline: deadline, complete: complete)
        self.deadline = min(self.deadline, deadline)
        return true
    }

    /// Whoever waits for this id. One that nobody waits for, or no longer, is ignored (S7).
    mutating func receive(_ id: UInt64) -> ((Answer) -> Void)? {
        let entry = entries.removeValue(forKey: id)
        if entries.isEmpty { deadline = .distantFuture }
        return entry?.complete
    }

    mutating func cancel(token: UInt64) -> ((Answer) -> Void)? {
        guard let id = entries.first(where: { $0.value.token == token })?.key else { return nil }
        return receive(id)
    }

    /// Those whose time is over.
    mutating func expire(at now: NIODeadline) -> [(Answer) -> Void] {
        guard deadline <= now else { return [] }
        let overdue = entries.filter { $0.value.deadline <= now }
        for id in overdue.keys { entries.removeValue(forKey: id) }
        deadline = entries.values.map(\.deadline).min() ?? .distantFuture
        return overdue.values.map(\.complete)
    }

    mutating func removeAll() -> [(Answer) -> Void] {
        let all = entries.values.map(\.complete)
        entries = [:]
        deadline = .distantFuture
        return all
    }
}
