internal import DequeModule

/// What was done to the sockets of whole namespaces, so that it is done to those that were away, at whatever server they come back. A
/// value; guarded by ``Recovery``.
struct AwayCommands {
    private struct Entry {
        let offset: RecoveryOffset
        let namespace: String
        let command: ClusterCommand
    }

    private let countMax: Int
    private let retention: UInt64
    private var entries: Deque<Entry> = []
    /// Up to here some are not known any more, or never were.
    private(set) var floor = RecoveryOffset.start

    /// - Parameter retention: in the unit of the offsets.
    init(countMax: Int, retention: UInt64) {
        self.countMax = countMax
        self.retention = retention
    }

    var count: Int { entries.count }

    mutating func append(_ command: ClusterCommand, in namespace: String, at offset: RecoveryOffset) {
        entries.append(Entry(offset: offset, namespace: namespace, command: command))
        while let first = entries.first, entries.count > countMax || first.offset.rawValue + retention < offset.rawValue {
            floor = max(floor, first.offset)
            entries.removeFirst()
        }
    }

    mutating func cut(at offset: RecoveryOffset) {
        entries = []
        floor = max(floor, offset)
    }

    /// Does to a socket what has been done since.
    ///
    /// - Returns: what becomes of it; nil when not all is known.
    func perform(on socket: RecoverableSocket, since offset: RecoveryOffset) -> Outcome? {
        guard offset >= floor else { return nil }
        var socket = socket
        for entry in entries where entry.offset > offset && entry.namespace == socket.namespace {
            guard socket.perform(entry.command, since: entry.offset) else { return .disconnected }
        }
        return .stays(socket)
    }

    enum Outcome {
        case stays(RecoverableSocket)
        case disconnected
    }
}
