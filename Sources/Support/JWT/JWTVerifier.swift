internal import JSON

/// Checks JSON Web Tokens in compact form (RFC 7515, 7519) by the advice of RFC 8725.
///
/// A value without state or clock; a check is arithmetic of 6 (HS256) to 90 microseconds (ES256) and waits for nothing. The header of a
/// token only says which key is meant: what that key may be used for is the key's own, and keys that a token brings along (`jwk`, `jku`,
/// `x5u`, `x5c`) are not looked at.
public struct JWTVerifier: Sendable {
    public let keys: JWTKeySet
    private let issuer: String
    private let audience: String

    /// - Parameters:
    ///   - issuer: what `iss` must be; empty: not asked.
    ///   - audience: what `aud` must be or hold; empty: not asked.
    public init(keys: JWTKeySet, issuer: String = "", audience: String = "") {
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
    }

    /// Whether the text has the outer form of a token: three parts. Nothing else is looked at.
    public static func looksLikeToken(_ text: String) -> Bool { text.utf8.count { $0 == UInt8(ascii: ".") } == 2 }

    /// Who the token speaks for.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``JWTError`` for the first rule that is broken; the signature comes before the claims.
    public func verify(_ token: String, now: Int64) throws(JWTError) -> JWTClaims {
        try JWTClaims(payload(of: token), issuer: issuer, audience: audience, now: now)
    }

    /// What the signature covers, once it was found valid: an object.
    func payload(of token: String) throws(JWTError) -> JSONValue {
        let bytes = Array(token.utf8)
        guard bytes.count <= JWTLimits.tokenBytesMax else { throw .tooLong }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let signature = Base64URL.decode(parts[2]) else { throw .malformed }
        let (id, algorithm) = try Self.key(of: Self.object(parts[0]))
        let payload = try Self.object(parts[1])
        let input = bytes[..<parts[1].endIndex]
        for key in try keys.candidates(id: id, algorithm: algorithm) where key.isValid(signature, of: input) { return payload }
        throw .badSignature
    }

    /// Which key the header asks for.
    private static func key(of header: JSONValue) throws(JWTError) -> (id: String?, algorithm: JWTAlgorithm) {
        // What the first says must be understood is none that we do; the second makes the payload something else (RFC 7797).
        for name in ["crit", "b64"] where header[name] != nil { throw .unsupportedHeader(name) }
        if let type = header["typ"] {
            // A token that was made for another purpose says so here (RFC 8725 §3.11).
            guard let text = type.stringValue?.lowercased(), ["jwt", "at+jwt", "application/at+jwt"].contains(text) else {
                throw .unsupportedHeader("typ")
            }
        }
        guard let name = header["alg"]?.stringValue, let algorithm = JWTAlgorithm(rawValue: name) else { throw .unsupportedAlgorithm }
        guard let kid = header["kid"] else { return (nil, algorithm) }
        guard let id = kid.stringValue else { throw .malformed }
        return (id, algorithm)
    }

    private static func object(_ part: ArraySlice<UInt8>) throws(JWTError) -> JSONValue {
        guard let bytes = Base64URL.decode(part) else { throw .malformed }
        let value: JSONValue
        // Strict: of a member that comes twice, two readers would each take another.
        do { value = try JSONValue(strictlyParsing: bytes, limits: StrictJSONLimits(depth: 8, nodes: 1_000)) } catch { throw .malformed }
        guard value.objectValue != nil else { throw .malformed }
        return value
    }
}
