import JSON
import Testing

@testable import JWT

@Suite("Tokens that others made")
struct VectorTests {
    static let vectors: [(String, String)] = [
        (Fixtures.hmacToken, #"{"kty":"oct","k":"\#(Fixtures.hmacKey)"}"#),
        (Fixtures.rsaToken, #"{"kty":"RSA","n":"\#(Fixtures.rsaModulus)","e":"AQAB"}"#),
        (Fixtures.curveToken, #"{"kty":"EC","crv":"P-256","x":"\#(Fixtures.curveX)","y":"\#(Fixtures.curveY)"}"#),
    ]

    @Test("RFC 7515 appendix A.1 to A.3, and no token of them with one bit changed", arguments: vectors)
    func appendix(token: String, key: String) throws {
        let verifier = JWTVerifier(keys: try Make.set(key))
        let payload = try verifier.payload(of: token)
        #expect(payload["iss"] == "joe" && payload["exp"] == 1_300_819_380 && payload["http://example.com/is_root"] == true)
        let signature = try #require(Base64URL.decode(token.utf8.suffix(while: { $0 != UInt8(ascii: ".") })))
        for index in [0, signature.count / 2, signature.count - 1] {
            var changed = signature
            changed[index] ^= 1
            #expect(throws: JWTError.badSignature) { try verifier.payload(of: Make.token(token, signature: changed)) }
        }
        #expect(throws: JWTError.badSignature) { try verifier.payload(of: Make.token(token, signature: [])) }
        #expect(throws: JWTError.badSignature) { try verifier.payload(of: Make.token(token, signature: signature.dropLast())) }
        #expect(throws: JWTError.badSignature) { try verifier.payload(of: Make.token(token, signature: signature + [0])) }
        #expect(throws: JWTError.badSignature) { try verifier.payload(of: Make.token(token, signature: [0] + signature)) }
    }

    @Test("PyJWT's RS256, ES256 and HS256")
    func pyJWT() throws {
        let keys = try Make.set(Make.rsa, Make.curve, secret: Fixtures.secret)
        let verifier = JWTVerifier(keys: keys, issuer: "https://id.example.com", audience: "kdcube")
        let rsa = try verifier.verify(Fixtures.rs256, now: Make.now)
        #expect(rsa.subject == "ada" && rsa.org == "acme" && rsa.project == "web" && rsa.identity == nil)
        #expect(rsa.roles == ["admin", "support"] && rsa.expiresAt == 1_800_003_600)
        let curve = try verifier.verify(Fixtures.es256, now: Make.now)
        #expect(curve.roles == ["admin", "support"] && curve.identity == "person:ada")
        #expect(try verifier.verify(Fixtures.hs256, now: Make.now).roles.isEmpty)
        #expect(keys.notes.isEmpty && keys.count == 3)
    }

    @Test("a signature of one token is none of another")
    func swapped() throws {
        let verifier = try Make.all()
        let signature = try #require(Base64URL.decode(Fixtures.rs256.utf8.suffix(while: { $0 != UInt8(ascii: ".") })))
        let other = Make.token(Make.token(header: #"{"alg":"RS256","kid":"rsa-1"}"#), signature: signature)
        #expect(throws: JWTError.badSignature) { try verifier.verify(other, now: Make.now) }
    }
}

extension BidirectionalCollection {
    /// The longest end whose elements all satisfy it.
    func suffix(while predicate: (Element) -> Bool) -> SubSequence {
        self[(lastIndex { !predicate($0) }.map { index(after: $0) } ?? startIndex)...]
    }
}
