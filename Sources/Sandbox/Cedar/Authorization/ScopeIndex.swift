/// Finds the policies whose scopes may fit a request without looking at the others.
///
/// Three levels of tables: action, principal, resource. A request walks only the branches that name it, its type, an entity it is
/// in, or nothing. What is found is a superset: the scopes are checked afterwards.
struct ScopeIndex: Sendable {
    /// What a scope demands, as far as it is indexed.
    enum Key: Hashable, Sendable {
        case any
        case type(TypeName)
        case entity(EntityUID)
    }

    private typealias ByResource = [Key: [Int]]
    private typealias ByPrincipal = [Key: ByResource]
    private var table: [Key: ByPrincipal] = [:]

    /// Puts the policy with this number in.
    mutating func insert(_ policy: Policy, _ number: Int) {
        let actions: [Key]
        switch policy.action {
        case .any: actions = [.any]
        case .equal(let uid), .in(let uid): actions = [.entity(uid)]
        case .inList(let uids): actions = Set(uids).map(Key.entity)
        }
        for action in actions {
            table[action, default: [:]][policy.principal.key, default: [:]][policy.resource.key, default: []].append(number)
        }
    }

    /// The numbers of the policies that may fit, ascending.
    func candidates(_ request: Request, _ entities: Entities) -> [Int] {
        let principal = Subject(request.principal, entities)
        let resource = Subject(request.resource, entities)
        var numbers: [Int] = []
        Subject(request.action, entities).each(in: table) { byPrincipal in
            principal.each(in: byPrincipal) { byResource in
                resource.each(in: byResource) { numbers += $0 }
            }
        }
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

        /// Calls `body` with each branch that fits.
        func each<Branch>(in table: [Key: Branch], _ body: (Branch) -> Void) {
            if let branch = table[.any] { body(branch) }
            if let branch = table[.type(uid.type)] { body(branch) }
            if let branch = table[.entity(uid)] { body(branch) }
            // Whichever is smaller is looked up in the other.
            if ancestors.count <= table.count {
                for ancestor in ancestors { if let branch = table[.entity(ancestor)] { body(branch) } }
            } else {
                for (key, branch) in table {
                    if case .entity(let other) = key, other != uid, ancestors.contains(other) { body(branch) }
                }
            }
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
