internal import Accounting

/// Meets the authenticator with the key table. Asked on every handshake and request: a revoked key is out at once.
struct KeyDirectory: Authenticator.Directory {
    let keys: any KeyStore

    func principal(forKeyHash hash: String) async throws -> Principal? {
        try await keys.active(hash: hash).map { key in
            Principal(
                keyID: key.id, org: key.org, project: key.project, user: key.user, roles: key.roles,
                onCut: Principal.OnCut(rawValue: key.onCut.rawValue) ?? .error)
        }
    }
}
