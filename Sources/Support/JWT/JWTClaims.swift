internal import JSON

/// Who a valid token speaks for. None of the texts is empty; whether they can be names here is for the caller to say.
public struct JWTClaims: Sendable, Hashable {
    /// `sub`
    public let subject: String
    public let org: String
    public let project: String
    /// An array of texts, or one text with spaces between them; empty when there is no such claim.
    public let roles: [String]
    /// The person behind the subject, if the issuer says so.
    public let identity: String?
    /// `exp`, in seconds since 1970. A token is refused ``JWTLimits/skewSeconds`` later.
    public let expiresAt: Int64
}

extension JWTClaims {
    /// - Parameter payload: what a checked signature covers.
    init(_ payload: JSONValue, issuer: String, audience: String, now: Int64) throws(JWTError) {
        expiresAt = try Self.time(payload, "exp", required: true) ?? 0
        guard now < expiresAt + JWTLimits.skewSeconds else { throw .expired }
        for name in ["nbf", "iat"] {
            guard let time = try Self.time(payload, name) else { continue }
            guard time <= now + JWTLimits.skewSeconds else { throw .notYetValid }
        }
        if !issuer.isEmpty {
            guard let value = payload["iss"] else { throw .missingClaim("iss") }
            guard value.stringValue?.isSame(as: issuer) == true else { throw .wrongIssuer }
        }
        if !audience.isEmpty {
            guard let value = payload["aud"] else { throw .missingClaim("aud") }
            let audiences = value.arrayValue ?? [value]
            guard audiences.contains(where: { $0.stringValue?.isSame(as: audience) == true }) else { throw .wrongAudience }
        }
        subject = try Self.text(payload, "sub")
        org = try Self.text(payload, "org")
        project = try Self.text(payload, "project")
        roles = try Self.roles(payload)
        identity = payload["identity"] == nil ? nil : try Self.text(payload, "identity")
    }

    private static func text(_ payload: JSONValue, _ name: String) throws(JWTError) -> String {
        guard let value = payload[name] else { throw .missingClaim(name) }
        return try text(of: value, name)
    }

    private static func text(of value: JSONValue, _ name: String) throws(JWTError) -> String {
        guard let text = value.stringValue, (1...JWTLimits.textBytesMax).contains(text.utf8.count) else { throw .malformedClaim(name) }
        return text
    }

    /// Seconds since 1970; of a fraction (RFC 7519 §2, *NumericDate*) the whole ones.
    private static func time(_ payload: JSONValue, _ name: String, required: Bool = false) throws(JWTError) -> Int64? {
        guard let value = payload[name] else {
            if required { throw .missingClaim(name) }
            return nil
        }
        let seconds: Int64? =
            switch value {
            case .integer(let seconds): seconds
            case .number(let text) where text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }):
                Int64(text.prefix { $0 != "." })
            default: nil
            }
        guard let seconds, (0...JWTLimits.timeMax).contains(seconds) else { throw .malformedClaim(name) }
        return seconds
    }

    private static func roles(_ payload: JSONValue) throws(JWTError) -> [String] {
        var roles: [String] = []
        switch payload["roles"] {
        case nil: return []
        case .string(let text): roles = text.split(separator: " ").map(String.init)
        case .array(let values): for value in values { roles.append(try text(of: value, "roles")) }
        default: throw .malformedClaim("roles")
        }
        guard roles.count <= JWTLimits.rolesMax else { throw .malformedClaim("roles") }
        return roles
    }
}

extension String {
    /// Byte by byte (RFC 7515 §5.3): Swift's own equality takes texts for equal that Unicode composes differently.
    func isSame(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
