/// An entity as it was given.
public struct Entity: Hashable, Sendable {
    /// Its identity.
    public let uid: EntityUID
    /// Its attributes.
    public let attributes: Value.Record
    /// Its tags, which are apart from the attributes.
    public let tags: Value.Record
    /// The entities it is directly in; they need not exist.
    public let parents: Set<EntityUID>

    /// An entity.
    public init(uid: EntityUID, attributes: Value.Record = .empty, tags: Value.Record = .empty, parents: Set<EntityUID> = []) {
        self.uid = uid
        self.attributes = attributes
        self.tags = tags
        self.parents = parents
    }
}

/// What a store of entities may hold.
public enum EntityLimits {
    /// Pairs of an entity and an entity it is in, directly or not. They are computed once on load, and a chain of n entities has
    /// n²/2 of them; this many take about 100 MB, and are a store of 100,000 entities ten levels deep.
    public static let ancestorPairs = 1_000_000
}
