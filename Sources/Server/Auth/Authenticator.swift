internal import Accounting
internal import HTTPTypes
internal import JSON
internal import JWT
internal import Telemetry

/// Looks credentials up. Stateless but for its counters: a revoked key is refused from the next request on.
struct Authenticator: Sendable {
    /// Where keys are kept.
    protocol Directory: Sendable {
        /// The principal of the key with this hash; nil when there is none or it was revoked.
        func principal(forKeyHash hash: String) async throws -> Principal?
    }

    enum Failure: Error, Hashable {
        case missingCredential
        case badCredential
        /// A token that was valid once.
        case expired
        case tenantMismatch(TenantMismatch)
        /// The key store could not answer: nobody gets in.
        case unavailable
    }

    let directory: any Directory
    /// Nil where only API keys are accepted.
    let tokens: TokenKeys?
    let trail: AuditTrail
    let metrics: ServerMetrics

    /// - Parameter credential: as the client sent it, without `Bearer`.
    func authenticate(_ credential: String?, hints: TenantHints) async throws(Failure) -> Principal {
        guard let credential, !credential.isEmpty else { throw counted(.missingCredential, "missing") }
        let principal = try await principal(of: credential)
        try check(hints, principal)
        return principal
    }

    private func principal(of credential: String) async throws(Failure) -> Principal {
        if let tokens, !credential.hasPrefix(APISecret.prefix), JWTVerifier.looksLikeToken(credential) {
            do throws(JWTError) { return try tokens.principal(of: credential, at: WallClock.now()) } catch {
                throw counted(error == .expired ? .expired : .badCredential, "token_\(error.code)")
            }
        }
        guard let hash = APISecret.hash(ofCredential: credential) else { throw counted(.badCredential, "bad") }
        return try await principal(forKeyHash: hash)
    }

    /// Who a key speaks for now. A connection that outlives its request asks again before each of its requests.
    func principal(forKeyHash hash: String) async throws(Failure) -> Principal {
        let found: Principal?
        do { found = try await directory.principal(forKeyHash: hash) } catch { throw counted(.unavailable, "unavailable") }
        guard let principal = found else { throw counted(.badCredential, "bad") }
        return principal
    }

    func check(_ hints: TenantHints, _ principal: Principal) throws(Failure) {
        do { try hints.check(against: principal) } catch {
            trail.mismatch(error, of: principal)
            throw counted(.tenantMismatch(error), "tenant")
        }
    }

    private func counted(_ failure: Failure, _ reason: String) -> Failure {
        metrics.authFailures(reason).add()
        return failure
    }
}

extension HTTPFailure {
    static let tokenExpired = HTTPFailure(
        .unauthorized, code: "token_expired", type: "authentication_error", message: "The token has expired. Send a new one.",
        headers: [.wwwAuthenticate: "Bearer"])

    init(_ failure: Authenticator.Failure) {
        switch failure {
        case .missingCredential, .badCredential: self = .unauthorized
        case .expired: self = .tokenExpired
        case .tenantMismatch(let mismatch): self = .tenantMismatch(mismatch)
        case .unavailable:
            self = HTTPFailure(
                .serviceUnavailable, code: "authentication_unavailable", type: "server_error",
                message: "Keys cannot be checked right now. Try again.", headers: [.retryAfter: "1"])
        }
    }
}

extension AuditTrail {
    /// Somebody names another tenant than the credential's.
    func mismatch(_ mismatch: TenantMismatch, of principal: Principal) {
        guard let path = AuditAuthor(principal).path else { return }
        var act = Act(kind: .refusal, path: path, action: "tenant.hint", source: .caller, decision: .deny)
        (act.rule, act.code, act.roles) = ("tenant.hint", "tenant_mismatch", principal.roles)
        act.details = JSONObject([("field", .string(mismatch.field))])
        _ = note(act)
    }
}
