/// An organisation, a project or a user, as it is listed.
public struct TenantRecord: Sendable, Hashable {
    /// Never of a key.
    public let scope: Scope
    /// For people; nil where nobody gave one.
    public let name: String?
    public let createdAt: Milliseconds
    /// Of an organisation.
    public let projects: Int
    /// That were not revoked.
    public let keys: Int

    public init(scope: Scope, name: String?, createdAt: Milliseconds, projects: Int = 0, keys: Int = 0) {
        self.scope = scope
        self.name = name
        self.createdAt = createdAt
        self.projects = projects
        self.keys = keys
    }
}

/// What becomes of a name for people.
public enum NameChange: Sendable, Hashable {
    case keep, remove
    /// 1 to ``StoreLimits/tenantNameBytes``.
    case set(String)
}

/// The organisations, projects and users. Keys bring them about; here they are made before there is a key, named and listed.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator. A scope of a key is none of them: it is
/// never found, and putting one is a mistake of the caller.
public protocol TenantStore: Sendable {
    func find(_ scope: Scope) async throws -> TenantRecord?
    /// By their names' bytes, after `cursor` (``Scope/id``). At most ``StoreLimits/page``.
    func list(_ kind: Scope.Kind, org: OrgID?, project: String?, after cursor: String?, limit: Int) async throws -> [TenantRecord]
    /// Makes it, and what it stands in, when it is new.
    ///
    /// - Returns: whether it was new.
    @discardableResult
    func put(_ scope: Scope, name: NameChange, at: Milliseconds) async throws -> Bool
}

extension Scope {
    /// The names from the org down; empty for a key.
    package var tenantNames: [String] {
        switch self {
        case .org(let org): [org.text]
        case .project(let org, let project): [org.text, project]
        case .user(let org, let project, let user): [org.text, project, user]
        case .key: []
        }
    }

    package init?(tenantNames names: [String]) {
        guard let first = names.first, let org = try? OrgID(first) else { return nil }
        switch names.count {
        case 1: self = .org(org)
        case 2: self = .project(org: org, project: names[1])
        case 3: self = .user(org: org, project: names[1], user: names[2])
        default: return nil
        }
    }
}

/// One statement for each kind, the same for every back end: parameters are `$1`…, three of them for every name of the path.
package enum TenantStatement {
    /// The names, then the name for people, then when it was made, projects and keys.
    ///
    /// - Parameters:
    ///   - user: what the back end calls the column of the user in its table of keys.
    ///   - condition: what is wanted of the names.
    package static func selection(_ kind: Scope.Kind, user: String, where condition: String, limit: String) -> String {
        let names = columns(kind)
        let live = "SELECT count(*) FROM keys k WHERE k.revoked_at IS NULL AND k.org = x.\(kind == .org ? "name" : "org")"
        let (projects, keys) =
            switch kind {
            case .org: ("(SELECT count(*) FROM projects p WHERE p.org = x.name)", "(\(live))")
            case .project: ("CAST(0 AS bigint)", "(\(live) AND k.project = x.name)")
            case .user, .key: ("CAST(0 AS bigint)", "(\(live) AND k.project = x.project AND k.\(user) = x.name)")
            }
        return """
            SELECT \(names.joined(separator: ", ")), t.name, x.created_at, \(projects), \(keys) FROM \(kind.rawValue)s x
            LEFT JOIN tenant_names t ON t.scope = '\(kind.rawValue):' || \(names.joined(separator: " || '/' || "))
            WHERE \(condition) ORDER BY \(names.joined(separator: ", ")) LIMIT \(limit)
            """
    }

    /// The columns of its names, from the org down.
    package static func columns(_ kind: Scope.Kind) -> [String] {
        switch kind {
        case .org: ["x.name"]
        case .project: ["x.org", "x.name"]
        case .user, .key: ["x.org", "x.project", "x.name"]
        }
    }
}
