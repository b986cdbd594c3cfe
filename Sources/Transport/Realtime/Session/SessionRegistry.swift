internal import NIOCore
internal import Synchronization

/// Which session has which id, for all event loops. Split into shards, each with a `Mutex` that is held for one
/// dictionary operation.
final class SessionRegistry: Sendable {
    struct Entry: Sendable {
        let session: NIOLoopBound<EngineSession>
        let eventLoop: any EventLoop
        let seat: AddressTable.Seat
    }

    private final class Shard: Sendable {
        let entries = Mutex<[SessionID: Entry]>([:])
    }

    /// Enough that loops rarely meet, and few enough to cost nothing.
    private let shards = (0..<16).map { _ in Shard() }
    private let total = Atomic<Int>(0)

    var count: Int { total.load(ordering: .relaxed) }

    private func shard(_ id: SessionID) -> Shard { shards[Int(truncatingIfNeeded: id.low >> 8 & 15)] }

    /// At about this moment.
    var all: [Entry] { shards.flatMap { $0.entries.withLock { Array($0.values) } } }

    func insert(_ id: SessionID, _ entry: Entry) {
        shard(id).entries.withLock { $0[id] = entry }
        total.add(1, ordering: .relaxed)
    }

    func find(_ id: SessionID) -> Entry? {
        shard(id).entries.withLock { $0[id] }
    }

    func remove(_ id: SessionID) {
        let removed = shard(id).entries.withLock { $0.removeValue(forKey: id) }
        if removed != nil { total.subtract(1, ordering: .relaxed) }
    }
}
