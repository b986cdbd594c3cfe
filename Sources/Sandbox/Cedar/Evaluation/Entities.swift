/// A store of entities with their hierarchy. A value: a change makes another store, which shares what did not change.
public struct Entities: Sendable {
    struct Stored: Sendable {
        let entity: Entity
        let ancestors: Set<EntityUID>
    }

    /// What a store was loaded with, shared by the stores that add to it.
    private final class Base: Sendable {
        let table: [EntityUID: Stored]
        /// The parents that are no entity of it: one that is added under such a name changes the ancestors of others.
        let absentParents: Set<EntityUID>

        init(_ table: [EntityUID: Stored]) {
            self.table = table
            absentParents = table.values.reduce(into: []) { absent, stored in
                for parent in stored.entity.parents where table[parent] == nil { absent.insert(parent) }
            }
        }
    }

    private let base: Base
    /// What was added since.
    private let added: [EntityUID: Stored]

    /// The store without entities.
    public static let empty = Entities(base: Base([:]), added: [:])

    private init(base: Base, added: [EntityUID: Stored]) {
        self.base = base
        self.added = added
    }

    /// A store of `entities`. One that stands there twice must be the same both times.
    ///
    /// - Throws: `DataError` for two different entities with one identity, for a cycle of parents, and above `EntityLimits`.
    public init(_ entities: [Entity]) throws(DataError) {
        let hierarchy = Hierarchy(above: [:])
        self.init(base: Base(try hierarchy.closed(entities)), added: [:])
    }

    /// How many entities there are.
    public var count: Int { base.table.count + added.count }

    /// The entities, ordered by identity. Linear times logarithmic.
    public var all: [Entity] { (Array(base.table.values) + added.values).map(\.entity).sorted { $0.uid < $1.uid } }

    /// The entity of this identity; nil if it does not exist.
    public subscript(_ uid: EntityUID) -> Entity? { stored(uid)?.entity }

    /// Every entity that `uid` is in, directly or not; itself is not among them.
    public func ancestors(of uid: EntityUID) -> Set<EntityUID> { stored(uid)?.ancestors ?? [] }

    /// Whether `uid` is `other` or in it. An entity that does not exist is in itself only.
    public func isEntity(_ uid: EntityUID, in other: EntityUID) -> Bool {
        uid == other || stored(uid)?.ancestors.contains(other) ?? false
    }

    private func stored(_ uid: EntityUID) -> Stored? {
        if !added.isEmpty, let stored = added[uid] { return stored }
        return base.table[uid]
    }

    /// A store with `entities` too. One that is there already must be the same.
    ///
    /// Takes time for `entities` and for what was added before, not for what the store was loaded with: so a server loads its roles
    /// and actions once, and adds the entities of each request. Only where an added entity is a parent that was missing, or is there
    /// already, all ancestors are computed anew.
    ///
    /// - Throws: as `init(_:)`.
    public func adding(_ entities: [Entity]) throws(DataError) -> Entities {
        let isApart = entities.allSatisfy { stored($0.uid) == nil && !base.absentParents.contains($0.uid) }
        guard isApart else { return try Entities((Array(base.table.values) + added.values).map(\.entity) + entities) }
        let hierarchy = Hierarchy(above: base.table)
        return Entities(base: base, added: try hierarchy.closed(added.values.map(\.entity) + entities))
    }
}
