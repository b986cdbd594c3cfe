import Testing

@testable import JWT

@Suite("Claims")
struct ClaimTests {
    private func claims(_ more: String, exp: String = "1800000600", at now: Int64 = Make.now) throws -> JWTClaims {
        try Make.secretOnly().verify(Make.token(#"{"sub":"ada","org":"acme","project":"web","exp":\#(exp)\#(more)}"#), now: now)
    }

    @Test("a token holds until a minute after exp")
    func expiry() throws {
        #expect(try claims("", at: 1_800_000_600).expiresAt == 1_800_000_600)
        #expect(try claims("", at: 1_800_000_659).expiresAt == 1_800_000_600)
        #expect(throws: JWTError.expired) { try claims("", at: 1_800_000_660) }
        #expect(try claims("", exp: "1800000600.75").expiresAt == 1_800_000_600)
        for exp in ["-1", #""1800000600""#, "null", "true", "1e12", "253402300800", "9223372036854775807", "[]", "1800000600.1234567"] {
            #expect(throws: (any Error).self) { try claims("", exp: exp) }
        }
        #expect(throws: JWTError.malformedClaim("exp")) { try claims("", exp: "9223372036854775807") }
        let none = Make.token(#"{"sub":"ada","org":"acme","project":"web"}"#)
        #expect(throws: JWTError.missingClaim("exp")) { try Make.secretOnly().verify(none, now: Make.now) }
    }

    @Test("nbf and iat may be a minute ahead", arguments: ["nbf", "iat"])
    func notYet(name: String) throws {
        #expect(try claims(#","\#(name)":1800000060"#).org == "acme")
        #expect(throws: JWTError.notYetValid) { try claims(#","\#(name)":1800000061"#) }
        #expect(throws: JWTError.malformedClaim(name)) { try claims(#","\#(name)":"soon""#) }
    }

    @Test("who it is must be said, in texts", arguments: ["sub", "org", "project"])
    func names(name: String) throws {
        for (value, error) in [
            (nil, JWTError.missingClaim(name)), ("\"\"", .malformedClaim(name)), ("7", .malformedClaim(name)),
            ("null", .malformedClaim(name)),
            (#"["x"]"#, .malformedClaim(name)), ("\"\(String(repeating: "x", count: 1_025))\"", .malformedClaim(name)),
        ] {
            let members = ["sub", "org", "project"].compactMap { member in
                member == name ? value.map { "\"\(member)\":\($0)" } : "\"\(member)\":\"x\""
            }
            let token = Make.token("{\(members.joined(separator: ",")),\"exp\":1800000600}")
            #expect(throws: error) { try Make.secretOnly().verify(token, now: Make.now) }
        }
    }

    @Test("roles are an array of texts or a text with spaces")
    func roles() throws {
        #expect(try claims("").roles.isEmpty)
        #expect(try claims(#","roles":"""#).roles.isEmpty)
        #expect(try claims(#","roles":" admin  support ""#).roles == ["admin", "support"])
        #expect(try claims(#","roles":["admin","support"]"#).roles == ["admin", "support"])
        for roles in [
            "null", "{}", "1", #"[""]"#, #"["a",1]"#, #"[["a"]]"#, "[\(Array(repeating: "\"r\"", count: 65).joined(separator: ","))]",
        ] {
            #expect(throws: JWTError.malformedClaim("roles")) { try claims(",\"roles\":\(roles)") }
        }
        #expect(try claims(",\"roles\":[\(Array(repeating: "\"r\"", count: 64).joined(separator: ","))]").roles.count == 64)
    }

    @Test("an identity is a text or not there")
    func identity() throws {
        #expect(try claims("").identity == nil)
        #expect(try claims(#","identity":"p1""#).identity == "p1")
        for value in ["null", "\"\"", "1"] { #expect(throws: JWTError.malformedClaim("identity")) { try claims(",\"identity\":\(value)") } }
    }

    @Test("issuer and audience are asked where they are configured")
    func issuerAndAudience() throws {
        let verifier = try Make.secretOnly(issuer: "https://id", audience: "kdcube")
        func verify(_ more: String) throws(JWTError) -> JWTClaims {
            try verifier.verify(Make.token(#"{"sub":"ada","org":"acme","project":"web","exp":1800000600\#(more)}"#), now: Make.now)
        }
        #expect(try verify(#","iss":"https://id","aud":"kdcube""#).org == "acme")
        #expect(try verify(#","iss":"https://id","aud":["x","kdcube"]"#).org == "acme")
        #expect(throws: JWTError.missingClaim("iss")) { try verify(#","aud":"kdcube""#) }
        #expect(throws: JWTError.wrongIssuer) { try verify(#","iss":"https://id/","aud":"kdcube""#) }
        #expect(throws: JWTError.wrongIssuer) { try verify(#","iss":["https://id"],"aud":"kdcube""#) }
        #expect(throws: JWTError.missingClaim("aud")) { try verify(#","iss":"https://id""#) }
        for aud in [#""kdcube2""#, "[]", "null", #"["x",["kdcube"]]"#, #"{"kdcube":1}"#, #""KDCUBE""#] {
            #expect(throws: JWTError.wrongAudience) { try verify(#","iss":"https://id","aud":\#(aud)"#) }
        }
        #expect(try claims(#","iss":"anybody","aud":"anything""#).org == "acme")
    }

    @Test("nothing is said about claims before the signature was valid")
    func order() throws {
        let token = Make.token(Make.token("{}"), signature: [1, 2, 3])
        #expect(throws: JWTError.badSignature) { try Make.secretOnly().verify(token, now: Make.now) }
    }
}
