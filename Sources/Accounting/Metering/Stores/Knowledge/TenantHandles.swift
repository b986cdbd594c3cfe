/// Whose project's knowledge. There is no query without one.
///
/// The server makes it of an authenticated tenant and of nothing else (`Server/Bindings/TenantHandles.swift`); no name that a client, a
/// model or agent code says becomes one.
public struct ProjectHandle: Sendable, Hashable {
    public let org: OrgID
    public let project: String

    public init(org: OrgID, project: String) throws(ScopeError) {
        _ = try TenancyPath(org: org, project: project)
        self.org = org
        self.project = project
    }
}

/// Whose memory: one user of one project. A credential without a user has none.
///
/// Made like ``ProjectHandle``, of an authenticated tenant only.
public struct UserHandle: Sendable, Hashable {
    public let org: OrgID
    public let project: String
    public let user: String

    public init(org: OrgID, project: String, user: String) throws(ScopeError) {
        _ = try TenancyPath(org: org, project: project, user: user)
        self.org = org
        self.project = project
        self.user = user
    }
}

/// A whole org, for its admins.
///
/// Made like ``ProjectHandle``, of an authenticated admin only.
public struct OrgHandle: Sendable, Hashable {
    public let org: OrgID

    public init(org: OrgID) { self.org = org }
}

/// Who repeats a call: the user, or else the key, or else the project itself. Callers share no idempotency key.
///
/// Made like ``ProjectHandle``, of an authenticated tenant only.
public struct CallerHandle: Sendable, Hashable {
    public let org: OrgID
    public let project: String
    /// `user:NAME`, `key:ID`, or empty for a credential that has neither.
    public let caller: String

    public init(_ path: TenancyPath) {
        org = path.org
        project = path.project
        caller = path.user.map { "user:\($0)" } ?? path.key.map { "key:\($0)" } ?? ""
    }

    public init(_ user: UserHandle) {
        org = user.org
        project = user.project
        caller = "user:\(user.user)"
    }
}
