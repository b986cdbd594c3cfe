internal import Digest

/// The algorithms of RFC 7518 that are accepted. A key has exactly one of them, by what it is made of.
public enum JWTAlgorithm: String, Sendable, Hashable {
    /// HMAC with SHA-256.
    case hs256 = "HS256"
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA on P-256 with SHA-256.
    case es256 = "ES256"
}

/// A key that signatures are checked with. A value; the secret of HS256 is in it, so print it nowhere.
struct JWTKey: Sendable, Hashable {
    enum Material: Sendable, Hashable {
        case secret([UInt8])
        case rsa(modulus: [UInt8], exponent: [UInt8])
        /// 32 bytes each.
        case p256(x: [UInt8], y: [UInt8])
    }

    /// Nil: the key has no name, and any token may be meant for it.
    let id: String?
    let material: Material

    /// What the key is for. The header of a token has no say in it: a public key as the secret of HS256, or no signature at all, are what
    /// follows where it has (RFC 8725 §2.1, §3.1).
    var algorithm: JWTAlgorithm {
        switch material {
        case .secret: .hs256
        case .rsa: .rs256
        case .p256: .es256
        }
    }

    /// - Parameter input: header and payload as they stand in the token, with the dot.
    func isValid(_ signature: [UInt8], of input: ArraySlice<UInt8>) -> Bool {
        switch material {
        case .secret(let secret): Signatures.areEqual(signature, Digest.hmacSHA256(input, key: secret))
        case .rsa(let modulus, let exponent): Signatures.isValidRSA(signature, of: input, modulus: modulus, exponent: exponent)
        case .p256(let x, let y): Signatures.isValidP256(signature, of: input, x: x, y: y)
        }
    }
}
