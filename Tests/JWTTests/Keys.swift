import Digest
import JSON
import JWT

/// Writes key sets and tokens for the tests.
enum Make {
    static let now: Int64 = 1_800_000_000
    static let rsa = #"{"kty":"RSA","kid":"rsa-1","use":"sig","alg":"RS256","n":"\#(Fixtures.modulus)","e":"AQAB"}"#
    static let curve = #"{"kty":"EC","kid":"ec-1","crv":"P-256","x":"\#(Fixtures.x)","y":"\#(Fixtures.y)"}"#
    static let claims = #"{"sub":"ada","org":"acme","project":"web","exp":1800000600}"#

    static func set(_ keys: String..., secret: String? = nil) throws -> JWTKeySet {
        try JWTKeySet(jwks: Array(#"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8), secret: secret)
    }

    /// The keys of both kinds and the secret.
    static func all() throws -> JWTVerifier { JWTVerifier(keys: try set(rsa, curve, secret: Fixtures.secret)) }

    static func secretOnly(issuer: String = "", audience: String = "") throws -> JWTVerifier {
        JWTVerifier(keys: try JWTKeySet(secret: Fixtures.secret), issuer: issuer, audience: audience)
    }

    /// A token of these texts whose signature is HMAC with `key`.
    static func token(
        header: String = #"{"alg":"HS256"}"#, _ payload: String = claims, key: some Sequence<UInt8> = Array(Fixtures.secret.utf8)
    ) -> String {
        let input = base64(header.utf8) + "." + base64(payload.utf8)
        return input + "." + base64(Digest.hmacSHA256(input.utf8, key: key))
    }

    /// The token with another signature.
    static func token(_ token: String, signature: [UInt8]) -> String {
        token.split(separator: ".", omittingEmptySubsequences: false).prefix(2).joined(separator: ".") + "." + base64(signature)
    }

    static func base64(_ bytes: some Sequence<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var (bits, count): (UInt32, Int) = (0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count)) & 63])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }
}
