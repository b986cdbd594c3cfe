internal import Accounting
internal import Digest
internal import JWT

extension Principal {
    /// Begins names that stand for a subject that is no name, and no name of an API key.
    private static let mark = "jwt_"

    /// Who a token speaks for: the user of its subject, and a key of its own for each subject of an organisation.
    ///
    /// - Throws: ``JWTError/malformedClaim(_:)`` for an organisation, a project, a role or an identity that can be no name here.
    init(_ claims: JWTClaims, issuer: String) throws(JWTError) {
        guard let org = try? OrgID(claims.org) else { throw .malformedClaim("org") }
        for (claim, names) in [("project", [claims.project]), ("roles", claims.roles)] {
            for name in names where !Self.isName(name) { throw .malformedClaim(claim) }
        }
        if let identity = claims.identity, !Self.isName(identity) { throw .malformedClaim("identity") }
        // The names that the decision log has for the server itself.
        if org == AuditAuthor.noOrg { throw .malformedClaim("org") }
        if claims.project == AuditAuthor.noProject { throw .malformedClaim("project") }
        let isPlain = Self.isName(claims.subject) && !claims.subject.hasPrefix(Self.mark)
        let user = isPlain ? claims.subject : Self.name(of: [issuer, claims.subject])
        // With the organisation: issuers may give one subject in two of them, and budgets, orders and spend ask for a key alone. Of an
        // organisation with a colon the two could not be told apart.
        let key = "jwt:\(claims.org):\(claims.subject)"
        let isKeyPlain = isPlain && !claims.org.contains(":") && Self.isName(key)
        self.init(
            keyID: isKeyPlain ? key : Self.name(of: [issuer, claims.org, claims.subject]), org: org, project: claims.project,
            user: user, identity: claims.identity, roles: claims.roles, onCut: .error)
        expiresAt = Milliseconds(claims.expiresAt * 1_000)
        refusedFrom = Milliseconds((claims.expiresAt + JWTLimits.skewSeconds) * 1_000)
    }

    /// The organisation of the key that stands for a token's subject; nil for other keys, and for those whose name does not say it.
    static func org(ofTokenKey id: String) -> OrgID? {
        let parts = id.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "jwt", !parts[2].isEmpty else { return nil }
        return try? OrgID(String(parts[1]))
    }

    private static func isName(_ text: String) -> Bool { (try? TenancyName.check(text)) != nil }

    /// 96 bits of a hash; the lengths keep the parts apart.
    private static func name(of parts: [String]) -> String {
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        return mark + Digest.hex(Digest.sha256(text.utf8).prefix(12))
    }
}
