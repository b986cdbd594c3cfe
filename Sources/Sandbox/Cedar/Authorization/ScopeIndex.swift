/// Finds the policies whose scopes may fit a request without looking at the others.
///
/// Three levels of tables: action, principal, resource. A request walks only the branches that name it, its type, an entity it is
/// in, or nothing. What is found is a superset: the scopes are checked afterwards.
struct ScopeIndex: Sendable {
    /// What a scope demands, as far as it is indexed.
    enum Key: Sendable {
        case any
        case type(TypeName)
        case entity(EntityUID)
    }

    /// The branches of one level, apart by the kind of key: a kind that no policy uses costs no look-up.
    private struct Branches<Branch: Sendable>: Sendable {
        let empty: Branch
        var any: Branch?
        var byType: [TypeName: Branch] = [:]
        var byEntity: [EntityUID: Branch] = [:]

        init(empty: Branch) { self.empty = empty }

        /// Changes a branch in its place; it is made where there is none.
        mutating func change(_ key: Key, _ body: (inout Branch) -> Void) {
            let empty = empty
            switch key {
            case .any:
                var branch = any.take() ?? empty
                body(&branch)
                any = branch
            case .type(let type): body(&byType[type, default: empty])
            case .entity(let uid): body(&byEntity[uid, default: empty])
            }
        }

        /// Calls `body` with each branch that fits.
        func each(_ subject: Subject, _ body: (Branch) -> Void) {
            if let any { body(any) }
            if !byType.isEmpty, let branch = byType[subject.uid.type] { body(branch) }
            if byEntity.isEmpty { return }
            if let branch = byEntity[subject.uid] { body(branch) }
            // Whichever is smaller is looked up in the other.
            if subject.ancestors.count <= byEntity.count {
                for ancestor in subject.ancestors { if let branch = byEntity[ancestor] { body(branch) } }
            } else {
                for (uid, branch) in byEntity where uid != subject.uid && subject.ancestors.contains(uid) { body(branch) }
            }
        }
    }

    private typealias ByResource = Branches<[Int]>
    private typealias ByPrincipal = Branches<ByResource>
    private var table = Branches(empty: ByPrincipal(empty: ByResource(empty: [])))

    /// Puts the policy with this number in.
    mutating func insert(_ policy: Policy, _ number: Int) {
        let actions: [Key]
        switch policy.action {
        case .any: actions = [.any]
        case .equal(let uid), .in(let uid): actions = [.entity(uid)]
        case .inList(let uids): actions = Set(uids).map(Key.entity)
        }
        for action in actions {
            table.change(action) { byPrincipal in
                byPrincipal.change(policy.principal.key) { byResource in
                    byResource.change(policy.resource.key) { $0.append(number) }
                }
            }
        }
    }

    /// The numbers of the policies that may fit, ascending.
    func candidates(_ request: Request, _ entities: Entities) -> [Int] {
        let principal = Subject(request.principal, entities)
        let resource = Subject(request.resource, entities)
        var numbers: [Int] = []
        table.each(Subject(request.action, entities)) { byPrincipal in
            byPrincipal.each(principal) { byResource in
                byResource.each(resource) { numbers += $0 }
            }
        }
        if numbers.count < 2 { return numbers }
        // A list of actions may name the request's action and one that it is in: then its policy was found twice.
        numbers.sort()
        var last = -1
        return numbers.filter { number in
            defer { last = number }
            return number != last
        }
    }

    /// An entity of a request with what it is in.
    private struct Subject {
        let uid: EntityUID
        let ancestors: Set<EntityUID>

        init(_ uid: EntityUID, _ entities: Entities) {
            self.uid = uid
            ancestors = entities.ancestors(of: uid)
        }
    }
}

extension Policy.Scope {
    fileprivate var key: ScopeIndex.Key {
        switch self {
        case .equal(.entity(let uid)), .in(.entity(let uid)), .isTypeIn(_, .entity(let uid)): .entity(uid)
        case .isType(let type): .type(type)
        case .any, .equal(.slot), .in(.slot), .isTypeIn(_, .slot): .any
        }
    }

    /// Whether an entity fits. No scope can be an error.
    func fits(_ uid: EntityUID, _ entities: Entities) -> Bool {
        switch self {
        case .any: true
        case .equal(.entity(let other)): uid == other
        case .in(.entity(let other)): entities.isEntity(uid, in: other)
        case .isType(let type): uid.type == type
        case .isTypeIn(let type, .entity(let other)): uid.type == type && entities.isEntity(uid, in: other)
        case .equal(.slot), .in(.slot), .isTypeIn(_, .slot): false
        }
    }
}

extension Policy.ActionScope {
    /// Whether an action fits. No scope can be an error.
    func fits(_ uid: EntityUID, _ entities: Entities) -> Bool {
        switch self {
        case .any: true
        case .equal(let other): uid == other
        case .in(let other): entities.isEntity(uid, in: other)
        case .inList(let others): others.contains { entities.isEntity(uid, in: $0) }
        }
    }
}

extension Policy {
    /// The clauses as one expression; nil where there is none.
    var clauses: Expr? {
        // The last part of the whole conjunction is all of them together.
        conditions.isEmpty ? nil : expression.children.last
    }
}
