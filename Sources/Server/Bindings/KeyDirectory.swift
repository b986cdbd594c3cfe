internal import Accounting

/// Meets the authenticator with the key table. Asked on every handshake and request: a revoked key is out at once.
struct KeyDirectory: Authenticator.Directory {
    let keys: any KeyStore
    /// Nil where looking is no use of the key.
    var uses: KeyUses?

    func principal(forKeyHash hash: String) async throws -> Principal? {
        let now = WallClock.now()
        guard let key = try await keys.active(hash: hash), !key.settings.refuses(at: now) else { return nil }
        uses?.note(key.id, at: now)
        return Principal(
            keyID: key.id, account: key.account, org: key.org, project: key.project, user: key.user, identity: key.identity,
            roles: key.roles,
            onCut: Principal.OnCut(rawValue: key.onCut.rawValue) ?? .error, models: key.settings.models,
            onDisconnect: key.settings.onDisconnect.map(DisconnectPolicy.init), expiresAt: key.settings.expiresAt)
    }
}
