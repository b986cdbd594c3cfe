internal import Accounting

/// Who is calling, as an API key or a token says. Everything a request may touch follows from this and from nothing the client says.
struct Principal: Sendable, Hashable {
    enum OnCut: String, Sendable {
        /// A cut stream ends with a typed error, so that truncated output cannot pass for a whole one.
        case error
        /// A cut stream ends like one that reached its length.
        case finish
    }

    let keyID: String
    /// What it spends from, where that is another key's (``APIKey/account``).
    var account: String?
    let org: OrgID
    let project: String
    /// The user that the key is bound to, or the subject of a token, if any.
    let user: String?
    /// The person behind the key, where somebody has said who it is; else nil.
    var identity: String?
    let roles: [String]
    let onCut: OnCut
    /// The models that the key may call; empty: all.
    var models: [String] = []
    /// What becomes of its runs that nobody reads, where the request does not say; nil: as configured.
    var onDisconnect: DisconnectPolicy?
    /// When the credential ends; nil: when somebody revokes it.
    var expiresAt: Milliseconds?
    /// From when on a socket that has shown this credential must show another; nil: never. What runs goes on.
    var refusedFrom: Milliseconds?

    /// The key of the tenancy path: whose budgets hold and whose charges these are.
    var payer: String { account ?? keyID }

    func mayCall(_ model: String) -> Bool { models.isEmpty || models.contains(model) }

    func has(role: String) -> Bool { roles.contains(role) }
}

/// What a client says about its tenant besides its credential. It may only repeat what the credential says.
struct TenantHints: Sendable, Hashable {
    var tenant: String?
    var project: String?

    /// - Throws: ``TenantMismatch`` naming the hint that differs.
    func check(against principal: Principal) throws(TenantMismatch) {
        if let tenant, !tenant.isEmpty, !tenant.utf8.elementsEqual(principal.org.text.utf8) { throw TenantMismatch(field: "tenant") }
        if let project, !project.isEmpty, project != principal.project, project != "\(principal.org)/\(principal.project)" {
            throw TenantMismatch(field: "project")
        }
    }
}

/// A tenant hint that is not the credential's tenant (403 `tenant_mismatch`).
struct TenantMismatch: Error, Hashable {
    let field: String
}
