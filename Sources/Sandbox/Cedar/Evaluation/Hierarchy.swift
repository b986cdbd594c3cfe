/// Computes ancestors, without recursion.
struct Hierarchy {
    /// Entities whose ancestors are known.
    let above: [EntityUID: Entities.Stored]

    /// `entities` with their ancestors: from the top of the hierarchy down, each gets its parents and theirs.
    func closed(_ entities: [Entity]) throws(DataError) -> [EntityUID: Entities.Stored] {
        let entities = try distinct(entities)
        var waitingFor: [EntityUID: Int] = [:]
        var children: [EntityUID: [EntityUID]] = [:]
        var ready: [EntityUID] = []
        for entity in entities.values {
            let known = entity.parents.filter { entities[$0] != nil }
            for parent in known { children[parent, default: []].append(entity.uid) }
            waitingFor[entity.uid] = known.count
            if known.isEmpty { ready.append(entity.uid) }
        }
        var table: [EntityUID: Entities.Stored] = [:]
        table.reserveCapacity(entities.count)
        var pairs = 0
        while let uid = ready.popLast() {
            guard let entity = entities[uid] else { continue }
            var ancestors = entity.parents
            for parent in entity.parents { ancestors.formUnion((table[parent] ?? above[parent])?.ancestors ?? []) }
            pairs += ancestors.count
            guard pairs <= EntityLimits.ancestorPairs else {
                throw DataError("the hierarchy has more than \(EntityLimits.ancestorPairs) pairs of an entity and an ancestor")
            }
            table[uid] = Entities.Stored(entity: entity, ancestors: ancestors)
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

    private func distinct(_ entities: [Entity]) throws(DataError) -> [EntityUID: Entity] {
        var byUID: [EntityUID: Entity] = [:]
        byUID.reserveCapacity(entities.count)
        for entity in entities {
            if let other = byUID.updateValue(entity, forKey: entity.uid), other != entity {
                throw DataError("the entity `\(entity.uid)` stands there twice, with different content")
            }
        }
        return byUID
    }
}
