import Testing

@testable import JWT

@Suite("Key sets")
struct KeySetTests {
    @Test("what is for others, too weak or broken is left out with a note")
    func leftOut() throws {
        let n = Fixtures.modulus
        let point = #""crv":"P-256","x":"\#(Fixtures.x)","y":"\#(Fixtures.y)""#
        let keys = [
            #"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#, "5", "{}", #"{"kty":"RSA","n":"\#(Fixtures.shortModulus)","e":"AQAB"}"#,
            #"{"kty":"RSA","n":"\#(n)","e":"AQ"}"#, #"{"kty":"RSA","n":"\#(n)","e":"Ag"}"#, #"{"kty":"RSA","n":"\#(n)","e":""}"#,
            #"{"kty":"RSA","n":"\#(n)","e":"AQAAAAE"}"#, #"{"kty":"RSA","n":"\#(n)="}"#,
            #"{"kty":"RSA","n":"\#(n)","e":"AQAB","use":"enc"}"#,
            #"{"kty":"RSA","n":"\#(n)","e":"AQAB","alg":"RS512"}"#, #"{"kty":"RSA","n":"\#(n)","e":"AQAB","alg":"HS256"}"#,
            #"{"kty":"RSA","n":"\#(n)","e":"AQAB","alg":5}"#, #"{"kty":"RSA","n":"\#(n)","e":"AQAB","kid":5}"#,
            #"{"kty":"RSA","n":"\#(n)","e":"AQAB","key_ops":["sign"]}"#, #"{"kty":"EC",\#(point),"alg":"RS256"}"#,
            #"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#, #"{"kty":"EC","crv":"P-256","x":"\#(Fixtures.x)","y":"\#(Fixtures.x)"}"#,
            #"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, #"{"kty":"oct","k":"\#(Make.base64([UInt8](repeating: 1, count: 31)))"}"#,
        ]
        let set = try JWTKeySet(jwks: Array("{\"keys\":[\(keys.joined(separator: ",")),\(Make.rsa)]}".utf8))
        #expect(set.count == 1 && set.notes.count == keys.count, "\(set.notes)")
        #expect(set.notes.allSatisfy { $0.contains("is left out: ") && !$0.contains(n.prefix(20)) })
        for key in keys { #expect(throws: JWTKeySetError.self) { try Make.set(key) } }
    }

    @Test("a sign's zero byte in front of the modulus is none of its bits")
    func leadingZero() throws {
        let modulus = try #require(Base64URL.decode(Fixtures.modulus.utf8))
        let set = try Make.set(#"{"kty":"RSA","n":"\#(Make.base64([0] + modulus))","e":"AAEAAQ"}"#)
        #expect(try JWTVerifier(keys: set).verify(Fixtures.rs256, now: Make.now).subject == "ada")
    }

    @Test(
        "what is no key set", arguments: ["", "[]", "{}", "null", #"{"keys":{}}"#, #"{"keys":[],"keys":[]}"#, "-----BEGIN PUBLIC KEY-----"])
    func malformed(text: String) {
        #expect(throws: JWTKeySetError.self) { try JWTKeySet(jwks: Array(text.utf8), secret: Fixtures.secret) }
    }

    @Test("sizes have two sides")
    func sizes() throws {
        let secret = #"{"kty":"oct","k":"\#(Make.base64([UInt8](repeating: 1, count: 32)))"}"#
        func set(_ count: Int) -> [UInt8] { Array("{\"keys\":[\(Array(repeating: secret, count: count).joined(separator: ","))]}".utf8) }
        #expect(try JWTKeySet(jwks: set(64)).count == 64)
        #expect(throws: JWTKeySetError.tooManyKeys) { try JWTKeySet(jwks: set(65)) }
        let padding = [UInt8](repeating: UInt8(ascii: " "), count: JWTLimits.keyFileBytesMax)
        #expect(try JWTKeySet(jwks: set(1) + padding.dropLast(set(1).count)).count == 1)
        #expect(throws: JWTKeySetError.tooLong) { try JWTKeySet(jwks: set(1) + padding) }
        #expect(throws: JWTKeySetError.badSecret) { try JWTKeySet(secret: String(repeating: "x", count: 31)) }
        #expect(try JWTKeySet(secret: String(repeating: "x", count: 32)).count == 1)
        #expect(throws: JWTKeySetError.badSecret) { try JWTKeySet(secret: String(repeating: "x", count: 1_025)) }
        #expect(throws: JWTKeySetError.noKeys([])) { try JWTKeySet() }
    }

    @Test("a set may hold a key of an oct kind; two keys of one name are told apart by algorithm")
    func namesakes() throws {
        let secret = [UInt8](repeating: 9, count: 32)
        let rsa = Make.rsa.replacing("rsa-1", with: "k")
        let verifier = JWTVerifier(keys: try Make.set(#"{"kty":"oct","kid":"k","k":"\#(Make.base64(secret))"}"#, rsa))
        #expect(try verifier.verify(Make.token(header: #"{"alg":"HS256","kid":"k"}"#, key: secret), now: Make.now).subject == "ada")
        #expect(throws: JWTError.badSignature) {
            try verifier.verify(Make.token(header: #"{"alg":"RS256","kid":"k"}"#, key: secret), now: Make.now)
        }
    }

    @Test("a token without a name is tried with eight keys, in their order")
    func tries() throws {
        func keys(_ before: Int) throws -> JWTVerifier {
            let others = (0..<before).map { #"{"kty":"oct","k":"\#(Make.base64([UInt8](repeating: UInt8($0), count: 32)))"}"# }
            return JWTVerifier(
                keys: try JWTKeySet(jwks: Array("{\"keys\":[\(others.joined(separator: ","))]}".utf8), secret: Fixtures.secret))
        }
        #expect(try keys(7).verify(Make.token(), now: Make.now).subject == "ada")
        #expect(throws: JWTError.badSignature) { try keys(8).verify(Make.token(), now: Make.now) }
    }
}
