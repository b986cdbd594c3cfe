/// One set of counters of an org. Most orgs have one; a hot one is split over several, each with a part of its runs, on whichever Redis
/// master has its slot (metering.md §4.4).
///
/// The slots of an org share each window's cap by what the durable root has released to them: the sum never exceeds it.
public struct CounterSlot: Sendable, Hashable, Comparable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let org: OrgID
    /// 0 for the counters of an org that is not split, from 1 for those of one that is.
    public let index: Int

    public init(org: OrgID, index: Int) {
        self.org = org
        self.index = index
    }

    /// The counters of an org that is not split.
    public init(_ org: OrgID) { self.init(org: org, index: 0) }

    /// Reads ``name``. No org's name has a slash.
    ///
    /// - Throws: ``ScopeError`` for a text that names no counters.
    public init(_ name: String) throws(ScopeError) {
        guard let slash = name.lastIndex(of: "/"), let index = Int(name[name.index(after: slash)...]), index > 0 else {
            self.init(try OrgID(name))
            return
        }
        self.init(org: try OrgID(String(name[..<slash])), index: index)
    }

    public init(stringLiteral name: String) {
        do { try self.init(name) } catch { preconditionFailure("\(name) names no counters: \(error)") }
    }

    /// Names these counters where an unsplit org's are named by the org: in ``LeaseKey/org``, in commands, keys and lives. `acme`, `acme/3`.
    public var name: String { index == 0 ? org.text : "\(org)/\(index)" }

    public var description: String { name }

    /// By their names, as their keys sort.
    public static func < (one: CounterSlot, other: CounterSlot) -> Bool { one.name.utf8.lexicographicallyPrecedes(other.name.utf8) }

    public var isSplit: Bool { index > 0 }

    /// The slot of a run in an org that is split over `count`: all runs of a user share one, so that the user's own windows need not be
    /// shared out; a run without a user goes by its own name.
    public init(org: OrgID, of count: Int, user: String?, run: String) {
        guard count > 1 else {
            self.init(org: org, index: 0)
            return
        }
        // FNV-1a: the same in every process, and names are no secret.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in (user ?? run).utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash ^= hash >> 32
        self.init(org: org, index: 1 + Int(hash % UInt64(count)))
    }
}
