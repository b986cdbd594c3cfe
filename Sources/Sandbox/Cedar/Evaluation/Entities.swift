/// A store of entities with their hierarchy. A value: a change makes another store.
public struct Entities: Sendable {
    private struct Stored: Sendable {
        let entity: Entity
        let ancestors: Set<EntityUID>
    }

    private let table: [EntityUID: Stored]

    /// The store without entities.
    public static let empty = Entities()

    private init() { table = [:] }

    /// A store of `entities`. One that stands there twice must be the same both times.
    ///
    /// - Throws: `DataError` for two different entities with one identity, for a cycle of parents, and above `EntityLimits`.
    public init(_ entities: [Entity]) throws(DataError) {
        var byUID: [EntityUID: Entity] = [:]
        for entity in entities {
            if let other = byUID.updateValue(entity, forKey: entity.uid), other != entity {
                throw DataError("the entity `\(entity.uid)` stands there twice, with different content")
            }
        }
        table = try Self.closed(byUID)
    }

    /// How many entities there are.
    public var count: Int { table.count }

    /// The entities, ordered by identity. Linear times logarithmic.
    public var all: [Entity] { table.values.map(\.entity).sorted { $0.uid < $1.uid } }

    /// The entity of this identity; nil if it does not exist.
    public subscript(_ uid: EntityUID) -> Entity? { table[uid]?.entity }

    /// Every entity that `uid` is in, directly or not; itself is not among them.
    public func ancestors(of uid: EntityUID) -> Set<EntityUID> { table[uid]?.ancestors ?? [] }

    /// Whether `uid` is `other` or in it. An entity that does not exist is in itself only.
    public func isEntity(_ uid: EntityUID, in other: EntityUID) -> Bool {
        uid == other || table[uid]?.ancestors.contains(other) ?? false
    }

    /// A store with `entities` too. Ancestors are computed anew. One that is there already must be the same.
    ///
    /// - Throws: as `init(_:)`.
    public func adding(_ entities: [Entity]) throws(DataError) -> Entities {
        try Entities(table.values.map(\.entity) + entities)
    }

    /// Adds the ancestors: from the top of the hierarchy down, each entity gets its parents and theirs.
    private static func closed(_ entities: [EntityUID: Entity]) throws(DataError) -> [EntityUID: Stored] {
        var waitingFor: [EntityUID: Int] = [:]
        var children: [EntityUID: [EntityUID]] = [:]
        var ready: [EntityUID] = []
        for entity in entities.values {
            let known = entity.parents.filter { entities[$0] != nil }
            for parent in known { children[parent, default: []].append(entity.uid) }
            waitingFor[entity.uid] = known.count
            if known.isEmpty { ready.append(entity.uid) }
        }
        var table: [EntityUID: Stored] = [:]
        table.reserveCapacity(entities.count)
        var pairs = 0
        while let uid = ready.popLast() {
            guard let entity = entities[uid] else { continue }
            var ancestors = entity.parents
            for parent in entity.parents { ancestors.formUnion(table[parent]?.ancestors ?? []) }
            pairs += ancestors.count
            guard pairs <= EntityLimits.ancestorPairs else {
                throw DataError("the hierarchy has more than \(EntityLimits.ancestorPairs) pairs of an entity and an ancestor")
            }
            table[uid] = Stored(entity: entity, ancestors: ancestors)
            for child in children[uid] ?? [] {
                let left = (waitingFor[child] ?? 1) - 1
                waitingFor[child] = left
                if left == 0 { ready.append(child) }
            }
        }
        if table.count < entities.count {
            let stuck = entities.keys.filter { table[$0] == nil }.min()
            throw DataError("the parents of the entity \(stuck.map { "`\($0)`" } ?? "") form a cycle, or lead to one")
        }
        return table
    }
}
