/// Whose project's knowledge. There is no query without one.
///
/// The server makes it of an authenticated tenant and of nothing else (`Server/Bindings/TenantHandles.swift`); no name that a client, a
/// model or agent code says becomes one.
public struct ProjectHandle: Sendable, Hashable {
    public let org: String
    public let project: String

    public init(org: String, project: String) throws(ScopeError) {
        _ = try TenancyPath(org: org, project: project)
        self.org = org
        self.project = project
    }
}

/// Whose memory: one user of one project. A credential without a user has none.
///
/// Made like ``ProjectHandle``, of an authenticated tenant only.
public struct UserHandle: Sendable, Hashable {
    public let org: String
    public let project: String
    public let user: String

    public init(org: String, project: String, user: String) throws(ScopeError) {
        _ = try TenancyPath(org: org, project: project, user: user)
        self.org = org
        self.project = project
        self.user = user
    }
}
