/// Why a token is refused. Nothing is said about the claims of a token whose signature was not valid.
public enum JWTError: Error, Sendable, Hashable {
    /// More than ``JWTLimits/tokenBytesMax``.
    case tooLong
    /// Not three parts of canonical base64url, the first two of which are JSON objects without ambiguity.
    case malformed
    /// `none`, or another algorithm that no key of ours may have.
    case unsupportedAlgorithm
    /// A header that changes what the token means (`crit`, `b64`), or a `typ` that is no access token's.
    case unsupportedHeader(String)
    /// No key has this `kid`, or none has the algorithm.
    case unknownKey
    /// The key with this `kid` is of another algorithm than the header says.
    case wrongAlgorithm
    case badSignature
    case missingClaim(String)
    /// The claim is of another type, empty, or beyond its bounds.
    case malformedClaim(String)
    case expired
    /// `nbf` or `iat` is in the future.
    case notYetValid
    case wrongIssuer
    case wrongAudience

    /// One of a few words, for logs and metrics: none of them holds what a client sent.
    public var code: String {
        switch self {
        case .tooLong: "too_long"
        case .malformed: "malformed"
        case .unsupportedAlgorithm, .wrongAlgorithm: "algorithm"
        case .unsupportedHeader: "header"
        case .unknownKey: "unknown_key"
        case .badSignature: "signature"
        case .missingClaim, .malformedClaim: "claims"
        case .expired: "expired"
        case .notYetValid: "not_yet_valid"
        case .wrongIssuer: "issuer"
        case .wrongAudience: "audience"
        }
    }
}

/// Why a set of keys cannot be used.
public enum JWTKeySetError: Error, Sendable, Hashable, CustomStringConvertible {
    case tooLong
    case tooManyKeys
    /// The text is no JSON object with an array `keys`; what is wrong.
    case malformed(String)
    /// Every key was left out; why, one note a key.
    case noKeys([String])
    /// The shared secret is shorter or longer than ``JWTLimits/secretBytes``.
    case badSecret

    public var description: String {
        switch self {
        case .tooLong: "has more than \(JWTLimits.keyFileBytesMax) bytes"
        case .tooManyKeys: "has more than \(JWTLimits.keysMax) keys"
        case .malformed(let reason): "is no JSON Web Key Set: \(reason)"
        case .noKeys(let notes): "has no key that can be used" + (notes.isEmpty ? "" : ": " + notes.prefix(3).joined(separator: "; "))
        case .badSecret: "must have \(JWTLimits.secretBytes.lowerBound) to \(JWTLimits.secretBytes.upperBound) bytes"
        }
    }
}
