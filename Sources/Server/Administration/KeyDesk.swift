internal import Accounting

/// What a new key is to be. A value of names that were not checked yet.
struct KeyDraft: Sendable {
    var org: OrgID
    var project: String
    var user: String?
    var identity: String?
    var roles: [String] = []
    var onCut = APIKey.OnCut.error
    var kind = APIKey.Kind.person
    var settings = KeySettings()
    /// What it spends from; nil: its own.
    var account: String?
}

/// A budget of a key, without the key's name.
struct KeyBudget: Sendable {
    var model: String?
    var tool: String?
    var unit: String
    var window: String
    var zone = ""
    var limit: String

    func budget(of key: String) throws(BudgetError) -> Budget {
        try Budget(scope: Scope.key(key).text, model: model, tool: tool, unit: unit, period: window, zone: zone, limit: limit)
    }
}

/// Makes, changes, exchanges and revokes keys: one way for `/api/admin`, for LiteLLM's addresses and for the command line.
///
/// Every change stands in the decision log before it is made, by ``AuditAuthor/current``.
struct KeyDesk: Sendable {
    /// A key before it is stored, with the secret that is shown once.
    struct Made: Sendable {
        let key: APIKey
        let secret: String
        let hash: String

        /// - Throws: ``ScopeError`` for what is no name.
        init(_ draft: KeyDraft, at now: Milliseconds) throws(ScopeError) {
            let secret = APISecret()
            guard let hash = APISecret.hash(ofCredential: secret.secret) else { preconditionFailure("a secret of ours is no credential") }
            key = try APIKey(
                id: "key_" + RandomText.urlSafe(bytes: 12), org: draft.org, project: draft.project, user: draft.user, roles: draft.roles,
                onCut: draft.onCut, createdAt: now, settings: draft.settings, identity: draft.identity, kind: draft.kind,
                account: draft.account)
            self.secret = secret.secret
            self.hash = hash
        }
    }

    let stores: Stores

    /// - Throws: ``ScopeError`` or ``BudgetError`` for what cannot be, before anything was made.
    func make(_ draft: KeyDraft, budgets: [KeyBudget] = [], at now: Milliseconds) async throws -> Made {
        let made = try Made(draft, at: now)
        let budgets = try budgets.map { try $0.budget(of: made.key.id) }
        // Before the key can be used, so that no run of it is without its caps.
        for budget in budgets { try await stores.budgets.set(budget) }
        try await stores.keys.create(made.key, hash: made.hash)
        return made
    }

    /// What is blocked, or over from now on, is cut as well: who says so means what runs by it too.
    ///
    /// - Returns: the key as it is now; nil when there is none.
    @discardableResult
    func change(_ id: String, at now: Milliseconds, _ change: @escaping @Sendable (inout KeySettings) -> Void) async throws -> APIKey? {
        guard let (before, after) = try await stores.keys.change(id, change) else { return nil }
        if after.settings.refuses(at: now), !before.settings.refuses(at: now) { try await cut(after, at: now) }
        return after
    }

    /// Another secret and id for what the key was. It spends from the same account: its budgets are the old one's, and so is what was used of
    /// them, also while both are in use.
    ///
    /// - Parameter grace: how long the old key goes on; none: it is revoked, and what runs by it is cut.
    /// - Returns: nil when the key is not in use.
    func rotate(_ key: APIKey, grace: Milliseconds, at now: Milliseconds) async throws -> Made? {
        guard key.state(at: now) == .active else { return nil }
        let draft = KeyDraft(
            org: key.org, project: key.project, user: key.user, identity: key.identity, roles: key.roles, onCut: key.onCut, kind: key.kind,
            settings: key.settings, account: key.account)
        let made = try Made(draft, at: now)
        try await stores.keys.create(made.key, hash: made.hash)
        if grace > Milliseconds(0) {
            try await stores.keys.change(key.id) { $0.expiresAt = min($0.expiresAt ?? WindowSpan.never, now + grace) }
        } else {
            _ = try await stores.keys.revoke(id: key.id, author: AuditAuthor.current.name, at: now)
        }
        return made
    }

    /// - Returns: the key as it is now; nil when there is none.
    func revoke(_ id: String, at now: Milliseconds) async throws -> APIKey? {
        _ = try await stores.keys.revoke(id: id, author: AuditAuthor.current.name, at: now)
        return try await stores.keys.find(id: id)
    }

    private func cut(_ key: APIKey, at now: Milliseconds) async throws {
        try await stores.revocations.add(.scope(.key(key.id)), org: key.org, author: AuditAuthor.current.name, at: now)
    }
}
