import JSON
import Testing

@testable import JWT

@Suite("What attackers send")
struct AttackTests {
    @Test(
        "no signature, under any spelling",
        arguments: ["none", "None", "NONE", "nOnE", "", "HS384", "RS512", "ES384", "PS256", "EdDSA", "hs256"])
    func none(algorithm: String) throws {
        let header = #"{"alg":"\#(algorithm)"}"#
        #expect(throws: JWTError.unsupportedAlgorithm) { try Make.all().verify(Make.token(header: header), now: Make.now) }
        let unsigned = Make.token(Make.token(header: header), signature: [])
        #expect(throws: JWTError.unsupportedAlgorithm) { try Make.all().verify(unsigned, now: Make.now) }
    }

    @Test("an algorithm that is missing or no text", arguments: ["{}", #"{"alg":null}"#, #"{"alg":["HS256"]}"#, #"{"alg":5}"#])
    func noAlgorithm(header: String) throws {
        #expect(throws: JWTError.unsupportedAlgorithm) { try Make.all().verify(Make.token(header: header), now: Make.now) }
    }

    @Test("the public key as the secret of HS256, in each form that it is handed out in")
    func confusion() throws {
        let modulus = try #require(Base64URL.decode(Fixtures.modulus.utf8))
        let forms = [
            Array(Fixtures.pem.utf8), Array(Fixtures.pem.utf8.dropLast()), modulus, Array(Fixtures.modulus.utf8), Array(Make.rsa.utf8),
        ]
        let verifier = JWTVerifier(keys: try Make.set(Make.rsa))
        for form in forms {
            #expect(throws: JWTError.unknownKey) { try verifier.verify(Make.token(key: form), now: Make.now) }
            let named = Make.token(header: #"{"alg":"HS256","kid":"rsa-1"}"#, key: form)
            #expect(throws: JWTError.wrongAlgorithm) { try verifier.verify(named, now: Make.now) }
            // Where there is a secret too, the name of the public key does not lead to it.
            #expect(throws: JWTError.wrongAlgorithm) { try Make.all().verify(named, now: Make.now) }
            #expect(throws: JWTError.badSignature) { try Make.all().verify(Make.token(key: form), now: Make.now) }
        }
    }

    @Test("the name of a key of another algorithm, and a name that nobody has")
    func wrongKey() throws {
        let verifier = JWTVerifier(keys: try Make.set(Make.rsa, Make.curve))
        for (algorithm, kid, error) in [
            ("ES256", "rsa-1", JWTError.wrongAlgorithm), ("RS256", "ec-1", .wrongAlgorithm), ("RS256", "rsa-2", .unknownKey),
            ("ES256", "", .unknownKey), ("RS256", "../../dev/null", .unknownKey),
        ] {
            let token = Make.token(header: #"{"alg":"\#(algorithm)","kid":"\#(kid)"}"#)
            #expect(throws: error) { try verifier.verify(token, now: Make.now) }
        }
        #expect(throws: JWTError.malformed) { try verifier.verify(Make.token(header: #"{"alg":"RS256","kid":1}"#), now: Make.now) }
    }

    @Test("a secret is meant by a name that no key has, and found by no name")
    func secretWithoutName() throws {
        let token = Make.token(header: #"{"alg":"HS256","kid":"whatever","typ":"JWT"}"#)
        #expect(try Make.all().verify(token, now: Make.now).subject == "ada")
        #expect(try Make.all().verify(Make.token(), now: Make.now).subject == "ada")
    }

    @Test("PS256 with the same key, and its signature under the name RS256")
    func otherPadding() throws {
        #expect(throws: JWTError.unsupportedAlgorithm) { try Make.all().verify(Fixtures.ps256, now: Make.now) }
        let parts = Fixtures.ps256.split(separator: ".")
        let renamed = Make.base64(#"{"alg":"RS256","kid":"rsa-1"}"#.utf8) + "." + parts[1] + "." + parts[2]
        #expect(throws: JWTError.badSignature) { try Make.all().verify(renamed, now: Make.now) }
    }

    @Test("ES256 signatures of another length, of zeros, of numbers beyond the order, and in DER")
    func curveSignatures() throws {
        let signature = try #require(Base64URL.decode(Fixtures.es256.utf8.suffix(while: { $0 != UInt8(ascii: ".") })))
        let (r, s) = (Array(signature[..<32]), Array(signature[32...]))
        let (zero, large) = ([UInt8](repeating: 0, count: 32), [UInt8](repeating: 255, count: 32))
        let order: [UInt8] =
            [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8)
            + [0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51]
        let der = try #require(Signatures.der(signature))
        let forged = [
            zero + zero, r + zero, zero + s, order + s, r + order, order + order, large + large, s + r, r, der, r + s + [0], [0] + r + s,
        ]
        for signature in forged {
            let token = Make.token(Fixtures.es256, signature: signature)
            #expect(throws: JWTError.badSignature) { try Make.all().verify(token, now: Make.now) }
        }
        #expect(Signatures.der(zero + zero) == nil && Signatures.der(zero + s) == nil)
        #expect(
            Signatures.der([UInt8](repeating: 0, count: 31) + [0x80] + [UInt8](repeating: 0, count: 31) + [1]) == [
                0x30, 7, 2, 2, 0, 0x80, 2, 1, 1,
            ])
    }

    @Test("members that come twice, in header and payload, also by an escape")
    func duplicates() throws {
        let headers = [#"{"alg":"HS256","alg":"HS256"}"#, #"{"alg":"none","alg":"HS256"}"#, #"{"alg":"HS256","\u0061lg":"HS256"}"#]
        for header in headers {
            #expect(throws: JWTError.malformed) { try Make.all().verify(Make.token(header: header), now: Make.now) }
        }
        let payload = #"{"sub":"ada","org":"acme","project":"web","exp":1800000600,"org":"umbrella"}"#
        #expect(throws: JWTError.malformed) { try Make.all().verify(Make.token(payload), now: Make.now) }
    }

    @Test("headers that must be understood, and tokens that were made for something else")
    func headers() throws {
        for (member, name) in [
            (#""crit":["exp"]"#, "crit"), (#""crit":[]"#, "crit"), (#""crit":["b64"],"b64":false"#, "crit"), (#""b64":true"#, "b64"),
            (#""typ":"logout+jwt""#, "typ"), (#""typ":1"#, "typ"), (#""typ":"""#, "typ"),
        ] {
            let token = Make.token(header: #"{"alg":"HS256",\#(member)}"#)
            #expect(throws: JWTError.unsupportedHeader(name)) { try Make.all().verify(token, now: Make.now) }
        }
        for type in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
            #expect(try Make.all().verify(Make.token(header: #"{"alg":"HS256","typ":"\#(type)"}"#), now: Make.now).org == "acme")
        }
    }

    @Test("keys that a token brings along are not looked at")
    func embeddedKeys() throws {
        let own = [UInt8](repeating: 7, count: 32)
        let members =
            #""jwk":{"kty":"oct","k":"\#(Make.base64(own))"},"jku":"https://evil.example/k","x5u":"https://evil.example/c","x5c":["AA=="]"#
        let header = #"{"alg":"HS256",\#(members)}"#
        #expect(throws: JWTError.badSignature) { try Make.all().verify(Make.token(header: header, key: own), now: Make.now) }
        #expect(try Make.all().verify(Make.token(header: header), now: Make.now).subject == "ada")
    }

    @Test("another spelling of the same bytes")
    func spelling() throws {
        let token = Make.token()
        let parts = token.split(separator: ".").map(String.init)
        // 32 bytes are 43 characters, of the last of which two bits are over.
        let last = try #require(parts[2].last)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let next = alphabet[try #require(alphabet.firstIndex(of: last)) + 1]
        var forged = [
            token + "=", token + "\n", token + " ", " " + token, token + ".", "." + token, token + ".AA", "", "..", "a.b.c",
        ]
        forged += [
            token.dropLast() + String(next), parts[0] + "=." + parts[1] + "." + parts[2], parts[0] + "." + parts[1], token + "\u{0}",
        ]
        forged += [parts[0] + ".." + parts[2], "." + parts[1] + "." + parts[2], "Bearer " + token, parts.joined(separator: ". ")]
        #expect(throws: JWTError.badSignature) { try Make.all().verify(token + "A", now: Make.now) }
        for token in forged { #expect(throws: JWTError.malformed) { try Make.all().verify(token, now: Make.now) } }
    }

    @Test("what is no JSON object, or more than one")
    func notObjects() throws {
        for text in [
            "[]", "null", "5", #""HS256""#, #"{"alg":"HS256"}x"#, #"{"alg":"HS256"} {}"#, "\u{FEFF}{}",
            "{\"alg\":\"HS256\",\"a\":\"\\ud800\"}",
        ] {
            #expect(throws: JWTError.malformed) { try Make.all().verify(Make.token(header: text), now: Make.now) }
            #expect(throws: JWTError.malformed) { try Make.all().verify(Make.token(text), now: Make.now) }
        }
        let deep = String(repeating: "[", count: 3_000) + String(repeating: "]", count: 3_000)
        #expect(throws: JWTError.malformed) { try Make.all().verify(Make.token(header: deep), now: Make.now) }
    }

    @Test("8,192 bytes are a token, one more is none")
    func size() throws {
        func token(_ filling: Int) -> String {
            Make.token(#"{"sub":"ada","org":"acme","project":"web","exp":1800000600,"x":"\#(String(repeating: "x", count: filling))"}"#)
        }
        let small = token(6_000).utf8.count
        let filling = 6_000 + (JWTLimits.tokenBytesMax - small) * 3 / 4
        let sizes = (filling - 3...filling + 3).map { (token($0), token($0).utf8.count) }
        let largest = try #require(sizes.last { $0.1 <= JWTLimits.tokenBytesMax })
        #expect(try Make.all().verify(largest.0, now: Make.now).subject == "ada")
        let tooLong = try #require(sizes.first { $0.1 > JWTLimits.tokenBytesMax })
        #expect(throws: JWTError.tooLong) { try Make.all().verify(tooLong.0, now: Make.now) }
        #expect(throws: JWTError.tooLong) { try Make.all().verify(String(repeating: ".", count: 1 << 20), now: Make.now) }
    }

    @Test("every error has a word for metrics that holds nothing of the token")
    func words() {
        let errors: [JWTError] = [
            .tooLong, .malformed, .unsupportedAlgorithm, .unsupportedHeader("crit"), .unknownKey, .wrongAlgorithm, .badSignature,
            .missingClaim("sub"), .malformedClaim("sub"), .expired, .notYetValid, .wrongIssuer, .wrongAudience,
        ]
        #expect(Set(errors.map(\.code)).count == 11)
    }
}
