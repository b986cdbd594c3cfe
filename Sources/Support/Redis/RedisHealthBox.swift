internal import Synchronization

/// The health of a connection for readers on any thread; a short `Mutex`.
final class RedisHealthBox: Sendable {
    private let value = Mutex(RedisHealth.connecting)
    private let name = Mutex((incarnation: "", isCluster: false, address: RedisURL.Address?.none))

    /// The Redis process that was last connected to; empty before the first.
    var incarnation: String { name.withLock { $0.incarnation } }

    var isCluster: Bool { name.withLock { $0.isCluster } }

    /// Where that Redis is; nil before the first.
    var address: RedisURL.Address? { name.withLock { $0.address } }

    func identify(_ incarnation: String, isCluster: Bool, at address: RedisURL.Address) {
        name.withLock { $0 = (incarnation, isCluster, address) }
    }

    var current: RedisHealth { value.withLock { $0 } }

    /// Returns what it was.
    func replace(with health: RedisHealth) -> RedisHealth {
        value.withLock { value in
            let before = value
            value = health
            return before
        }
    }
}
