internal import Accounting

/// Meets the authenticator with the key table. Asked on every handshake and request: a revoked key is out at once.
struct KeyDirectory: Authenticator.Directory {
    let keys: any KeyStore

    func principal(forKeyHash hash: String) async throws -> Principal? {
        guard let key = try await keys.active(hash: hash), !key.settings.refuses(at: WallClock.now()) else { return nil }
        return Principal(
            keyID: key.id, org: key.org, project: key.project, user: key.user, identity: key.identity, roles: key.roles,
            onCut: Principal.OnCut(rawValue: key.onCut.rawValue) ?? .error, models: key.settings.models,
            onDisconnect: key.settings.onDisconnect.map(DisconnectPolicy.init), expiresAt: key.settings.expiresAt)
    }
}
