internal import Accounting

/// The keys of one org, or of one slot of a split org. All carry the hash tag `{org}` (`{org/3}`), so that one function call may touch all
/// of them in a cluster, and the slots of an org lie on different masters.
struct RedisKeys: Sendable {
    private let tag: String

    /// No org's name has a brace (``TenancyName``): the tag would end early, or swallow the rest.
    init(org: CounterSlot) { tag = "{\(org.name)}" }

    /// The life that the counters are in, a hash.
    var epoch: String { "\(tag):epoch" }
    /// The transactional outbox, a stream.
    var ledger: String { "\(tag):ledger" }
    /// Live leases by expiry, a sorted set.
    var leases: String { "\(tag):leases" }

    func lease(_ id: String) -> String { "\(tag):lease:\(id)" }

    /// - Throws: `.failed` for a name with a space: the path of a lease is kept as names parted by spaces.
    func window(_ key: WindowKey) throws(CounterStoreError) -> String {
        let text = key.text
        guard !text.utf8.contains(where: { $0 <= 0x20 }) else { throw .failed("a window's name has a space or a control character") }
        return "\(tag):w:\(text)"
    }
}
