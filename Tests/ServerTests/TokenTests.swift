import Accounting
import Testing

@testable import JWT
@testable import kdcube

@Suite("Tokens become principals")
struct TokenTests {
    private func principal(
        _ subject: String = "ada", org: String = "acme", project: String = "web", roles: [String] = [], identity: String? = nil,
        issuer: String = "https://id"
    ) throws -> Principal {
        try Principal(
            JWTClaims(subject: subject, org: org, project: project, roles: roles, identity: identity, expiresAt: 1_000), issuer: issuer)
    }

    @Test("a subject is the user, and with its organisation a key")
    func plain() throws {
        let ada = try principal(roles: ["admin"], identity: "p1")
        #expect(ada.user == "ada" && ada.keyID == "jwt:acme:ada" && ada.org == "acme" && ada.project == "web")
        #expect(ada.roles == ["admin"] && ada.identity == "p1" && ada.models.isEmpty && ada.onCut == .error)
        #expect(ada.expiresAt == Milliseconds(1_000_000))
        #expect(ada.refusedFrom == Milliseconds(1_060_000))
        #expect(try principal("auth0|1").user == "auth0|1")
    }

    @Test(
        "a subject that is no name has one by its hash",
        arguments: ["a b", "a/b", "{}", String(repeating: "x", count: 129), "jwt_x", "\u{200B}"])
    func hashed(subject: String) throws {
        let one = try principal(subject)
        let user = try #require(one.user)
        #expect(user.hasPrefix("jwt_") && user.utf8.count == 28 && one.keyID.hasPrefix("jwt_") && one.keyID.utf8.count == 28)
        try TenancyName.check(user)
        #expect(try principal(subject).keyID == one.keyID)
        #expect(try principal(subject, org: "umbrella").keyID != one.keyID)
        #expect(try principal(subject, issuer: "https://other").user != user)
    }

    @Test("no two subjects share a key")
    func distinct() throws {
        // As text, both would be jwt:a:b:c.
        let (one, other) = (try principal("b:c", org: "a"), try principal("c", org: "a:b"))
        #expect(one.keyID == "jwt:a:b:c" && other.keyID != one.keyID && other.user == "c")
        // A name that is long enough for a user and too long for a key.
        let long = try principal(String(repeating: "x", count: 125))
        #expect(long.user?.utf8.count == 125 && long.keyID.hasPrefix("jwt_"))
        // Somebody takes the name that another's hash gives.
        let taken = try #require(try principal("a b").user)
        #expect(try principal(taken).user != taken)
    }

    @Test("what can be no name here is refused, and so are the server's own")
    func refused() throws {
        for org in ["a/b", "a b", "-", String(repeating: "x", count: 129)] {
            #expect(throws: JWTError.malformedClaim("org")) { try principal(org: org) }
            #expect(throws: JWTError.malformedClaim("project")) { try principal(project: org) }
        }
        #expect(throws: JWTError.malformedClaim("roles")) { try principal(roles: ["admin", "a/b"]) }
        #expect(throws: JWTError.malformedClaim("identity")) { try principal(identity: "a b") }
    }
}
