/// An API key as it is stored: never the secret, only its hash.
public struct APIKey: Sendable, Hashable {
    /// What a client sees when its stream is cut (metering.md §3.2).
    public enum OnCut: String, Sendable, Hashable { case error, finish }

    public let id: String
    public let org: String
    public let project: String
    public let user: String?
    public let roles: [String]
    public let onCut: OnCut
    public let createdAt: Milliseconds
    public let revokedAt: Milliseconds?

    /// - Throws: ``ScopeError`` when a name or a role is no name.
    public init(
        id: String, org: String, project: String, user: String? = nil, roles: [String] = [], onCut: OnCut = .error,
        createdAt: Milliseconds, revokedAt: Milliseconds? = nil
    ) throws(ScopeError) {
        _ = try TenancyPath(org: org, project: project, user: user, key: id)
        for role in roles { try TenancyName.check(role) }
        self.id = id
        self.org = org
        self.project = project
        self.user = user
        self.roles = roles
        self.onCut = onCut
        self.createdAt = createdAt
        self.revokedAt = revokedAt
    }
}

/// The API keys, and the orgs, projects and users that they brought about.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator.
public protocol KeyStore: Sendable {
    /// Stores a key under the SHA-256 of its secret (lower-case hex). Org, project and user are made when they are new.
    func create(_ key: APIKey, hash: String) async throws
    /// The key with this hash that is not revoked.
    func active(hash: String) async throws -> APIKey?
    func find(id: String) async throws -> APIKey?
    /// Keys by id, after `cursor`; of one org if given. At most ``StoreLimits/page``.
    func list(org: String?, after cursor: String?, limit: Int) async throws -> [APIKey]
    /// - Returns: false when there is no such key, or it was revoked before.
    func revoke(id: String, at: Milliseconds) async throws -> Bool
    /// Every org that ever had a key.
    func orgs() async throws -> [String]
}
