/// Where a run stands: the tenancy path. A path without a user belongs to the project, one without a key to a token.
public struct TenancyPath: Sendable, Hashable, Codable {
    public let org: OrgID
    public let project: String
    public let user: String?
    public let key: String?

    public init(org: OrgID, project: String, user: String? = nil, key: String? = nil) throws(ScopeError) {
        for name in [project, user, key] {
            if let name { try TenancyName.check(name) }
        }
        self.org = org
        self.project = project
        self.user = user
        self.key = key
    }

    /// The scopes that pay, widest first.
    public var scopes: [Scope] {
        var scopes: [Scope] = [.org(org), .project(org: org, project: project)]
        if let user { scopes.append(.user(org: org, project: project, user: user)) }
        if let key { scopes.append(.key(key)) }
        return scopes
    }
}
