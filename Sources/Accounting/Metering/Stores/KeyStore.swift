/// An API key as it is stored: never the secret, only its hash.
public struct APIKey: Sendable, Hashable {
    /// What a client sees when its stream is cut (metering.md §3.2).
    public enum OnCut: String, Sendable, Hashable { case error, finish }

    /// Who holds it: a person, or a program that no person signs in for.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case person = "key"
        case serviceAccount = "service_account"
    }

    /// What becomes of a request with the key.
    public enum State: String, Sendable, Hashable, CaseIterable { case active, blocked, expired, revoked }

    public let id: String
    /// Whose account it spends from: the first key of those that replaced one another (`keys rotate`). Budgets, windows and
    /// charges go by it, so that a new secret is no new allowance.
    public let account: String
    public let org: OrgID
    public let project: String
    public let user: String?
    /// The person behind it, where several keys, or a user of another name, are one person's; nil: the user.
    public let identity: String?
    public let roles: [String]
    public let onCut: OnCut
    public let createdAt: Milliseconds
    public let revokedAt: Milliseconds?
    public let settings: KeySettings
    public let kind: Kind
    /// At most a minute old while the key is in use; nil: never.
    public let lastUsedAt: Milliseconds?

    /// - Throws: ``ScopeError`` when a name, a role or the identity is no name.
    public init(
        id: String, org: OrgID, project: String, user: String? = nil, roles: [String] = [], onCut: OnCut = .error,
        createdAt: Milliseconds, revokedAt: Milliseconds? = nil, settings: KeySettings = KeySettings(), identity: String? = nil,
        kind: Kind = .person, lastUsedAt: Milliseconds? = nil, account: String? = nil
    ) throws(ScopeError) {
        _ = try TenancyPath(org: org, project: project, user: user, key: id)
        for role in roles { try TenancyName.check(role) }
        if let identity { try TenancyName.check(identity) }
        if let account { try TenancyName.check(account) }
        self.identity = identity
        self.id = id
        self.account = account ?? id
        self.org = org
        self.project = project
        self.user = user
        self.roles = roles
        self.onCut = onCut
        self.createdAt = createdAt
        self.revokedAt = revokedAt
        self.settings = settings
        self.kind = kind
        self.lastUsedAt = lastUsedAt
    }

    public func state(at now: Milliseconds) -> State {
        if revokedAt != nil { return .revoked }
        if let end = settings.expiresAt, end <= now { return .expired }
        return settings.isBlocked ? .blocked : .active
    }
}

/// Which keys are wanted. What is nil does not matter.
public struct KeyFilter: Sendable, Hashable {
    public var org: OrgID?
    /// Of the org.
    public var project: String?
    /// Of the project.
    public var user: String?
    public var state: APIKey.State?

    public init(org: OrgID? = nil, project: String? = nil, user: String? = nil, state: APIKey.State? = nil) {
        self.org = org
        self.project = project
        self.user = user
        self.state = state
    }
}

/// What may change of a key after it was made.
public struct KeySettings: Sendable, Hashable {
    /// A name for people.
    public var alias: String?
    /// The models that the key may call; empty: all. No id holds a line break.
    public var models: [String] = []
    /// What the caller of the API keeps with it: the text of a JSON object.
    public var metadata = "{}"
    /// From then on the key is refused.
    public var expiresAt: Milliseconds?
    /// Refused until it is unblocked.
    public var isBlocked = false
    /// What becomes of the key's runs that nobody reads any more, where the request does not say; nil: as configured.
    public var onDisconnect: OnDisconnect?

    public enum OnDisconnect: String, Sendable, Hashable, CaseIterable { case stop, drain }

    public init() {}

    public func refuses(at now: Milliseconds) -> Bool { isBlocked || expiresAt.map { $0 <= now } ?? false }
}

/// The API keys, and the orgs, projects and users that they brought about.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator.
public protocol KeyStore: Sendable {
    /// Stores a key under the SHA-256 of its secret (lower-case hex). Org, project and user are made when they are new.
    func create(_ key: APIKey, hash: String) async throws
    /// The key with this hash that is not revoked.
    func active(hash: String) async throws -> APIKey?
    /// The key with this hash, revoked or not.
    func find(hash: String) async throws -> APIKey?
    func find(id: String) async throws -> APIKey?
    /// Keys by id, after `cursor`. At most ``StoreLimits/page``.
    ///
    /// - Parameter now: when the states are looked at.
    func list(_ filter: KeyFilter, at now: Milliseconds, after cursor: String?, limit: Int) async throws -> [APIKey]
    /// Refuses the key from now on and orders what runs by it to be cut (``Revocation``), in one transaction.
    ///
    /// - Parameter author: the key that gave the order, or how else it came.
    /// - Returns: false when there is no such key, or it was revoked before.
    func revoke(id: String, author: String, at: Milliseconds) async throws -> Bool
    /// Changes what may be changed of a key after it was made: reads and writes at once, so that of two changes neither undoes the
    /// other. `change` may be called again where the back end repeats.
    ///
    /// - Returns: the key before and after; nil when there is no such key.
    @discardableResult
    func change(_ id: String, _ change: @escaping @Sendable (inout KeySettings) -> Void) async throws -> (before: APIKey, after: APIKey)?
    /// Every org that ever had a key.
    func orgs() async throws -> [OrgID]
    /// Keeps when keys were last used, by id; never an older time than is known. At most ``StoreLimits/page``.
    func used(_ uses: [String: Milliseconds]) async throws
}

extension KeyStore {
    /// Keys by id, after `cursor`; of one org if given.
    public func list(org: OrgID?, after cursor: String?, limit: Int) async throws -> [APIKey] {
        try await list(KeyFilter(org: org), at: Milliseconds(0), after: cursor, limit: limit)
    }
}

/// What every back end asks its tables for a list of keys.
package enum KeyConditions {
    /// True of the keys in a state at a time, whose place in the statement is `now`.
    package static func sql(_ state: APIKey.State?, now: String) -> String {
        let isLive = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(now))"
        return switch state {
        case nil: "TRUE"
        case .revoked: "revoked_at IS NOT NULL"
        case .expired: "revoked_at IS NULL AND expires_at <= \(now)"
        case .blocked: "\(isLive) AND coalesce(blocked, FALSE)"
        case .active: "\(isLive) AND NOT coalesce(blocked, FALSE)"
        }
    }
}
