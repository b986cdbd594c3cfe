internal import JSON

/// The keys that tokens are checked with: a JSON Web Key Set (RFC 7517), a shared secret for HS256, or both.
///
/// A value that holds secrets; print it nowhere.
public struct JWTKeySet: Sendable, Hashable {
    let keys: [JWTKey]
    /// What was left out of the set and why, for the log; no key is in it.
    public let notes: [String]

    /// - Parameters:
    ///   - jwks: the text of a key set. Keys that are for something else or of a kind that is not accepted are left out with a note,
    ///     because an issuer's set holds what others need as well.
    ///   - secret: signs HS256; 32 to 1,024 bytes. It has no `kid`.
    /// - Throws: ``JWTKeySetError`` when the text is no key set, and when nothing of it can be used and there is no secret.
    public init(jwks: [UInt8]? = nil, secret: String? = nil) throws(JWTKeySetError) {
        var (keys, notes): ([JWTKey], [String]) = ([], [])
        if let jwks {
            for (index, value) in try Self.members(of: jwks).enumerated() {
                do throws(Unusable) { keys.append(try Self.key(value)) } catch {
                    notes.append("key \(index + 1) is left out: \(error.reason)")
                }
            }
        }
        if let secret {
            guard JWTLimits.secretBytes.contains(secret.utf8.count) else { throw .badSecret }
            keys.append(JWTKey(id: nil, material: .secret(Array(secret.utf8))))
        }
        guard !keys.isEmpty else { throw .noKeys(notes) }
        self.keys = keys
        self.notes = notes
    }

    /// How many keys of the set are used, the shared secret included.
    public var count: Int { keys.count }

    /// The keys that a token may be checked with. One that names a key means that key, or, where nobody has that name, one without.
    func candidates(id: String?, algorithm: JWTAlgorithm) throws(JWTError) -> ArraySlice<JWTKey> {
        var named = keys
        if let id {
            named = keys.filter { $0.id == id }
            if named.isEmpty { named = keys.filter { $0.id == nil } }
        }
        guard !named.isEmpty else { throw .unknownKey }
        let fitting = named.filter { $0.algorithm == algorithm }
        guard !fitting.isEmpty else { throw id == nil ? .unknownKey : .wrongAlgorithm }
        return fitting.prefix(JWTLimits.keysTriedMax)
    }

    private static func members(of jwks: [UInt8]) throws(JWTKeySetError) -> [JSONValue] {
        guard jwks.count <= JWTLimits.keyFileBytesMax else { throw .tooLong }
        let value: JSONValue
        do { value = try JSONValue(strictlyParsing: jwks, limits: StrictJSONLimits(depth: 8)) } catch { throw .malformed("\(error)") }
        guard let members = value["keys"]?.arrayValue else { throw .malformed("there is no array named keys") }
        guard members.count <= JWTLimits.keysMax else { throw .tooManyKeys }
        return members
    }
}

extension JWTKeySet {
    private struct Unusable: Error {
        let reason: String

        init(_ reason: String) { self.reason = reason }
    }

    private static func key(_ value: JSONValue) throws(Unusable) -> JWTKey {
        guard value.objectValue != nil else { throw Unusable("it is no object") }
        if let use = value["use"], use != "sig" { throw Unusable("it is not for signatures (use)") }
        if let operations = value["key_ops"], operations.arrayValue?.contains("verify") != true {
            throw Unusable("it is not for checking signatures (key_ops)")
        }
        var id: String?
        if let kid = value["kid"] {
            guard let text = kid.stringValue, !text.isEmpty, text.utf8.count <= JWTLimits.textBytesMax else {
                throw Unusable("its kid is no text")
            }
            id = text
        }
        let key = JWTKey(id: id, material: try material(value))
        if let algorithm = value["alg"], algorithm.stringValue != key.algorithm.rawValue {
            throw Unusable("its alg is not \(key.algorithm.rawValue)")
        }
        return key
    }

    private static func material(_ value: JSONValue) throws(Unusable) -> JWTKey.Material {
        switch value["kty"]?.stringValue {
        case "RSA":
            let (modulus, exponent) = (try number(value, "n"), try number(value, "e"))
            let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
            guard JWTLimits.rsaBits.contains(bits) else {
                throw Unusable("its modulus has \(bits) bits, not \(JWTLimits.rsaBits.lowerBound) to \(JWTLimits.rsaBits.upperBound)")
            }
            guard exponent.count <= JWTLimits.rsaExponentBytesMax, exponent != [1], exponent.last.map({ $0 & 1 == 1 }) == true else {
                throw Unusable("its exponent is no odd number from 3 to 4294967295")
            }
            guard Signatures.isRSAKey(modulus: modulus, exponent: exponent) else { throw Unusable("it is no RSA key") }
            return .rsa(modulus: modulus, exponent: exponent)
        case "EC":
            guard value["crv"] == "P-256" else { throw Unusable("its curve is not P-256") }
            let (x, y) = (try bytes(value, "x"), try bytes(value, "y"))
            // RFC 7518 §6.2.1.2: the full length, zeros included.
            guard x.count == 32, y.count == 32 else { throw Unusable("x and y must have 32 bytes") }
            guard Signatures.isP256Key(x: x, y: y) else { throw Unusable("it is no point of P-256") }
            return .p256(x: x, y: y)
        case "oct":
            let secret = try bytes(value, "k")
            guard JWTLimits.secretBytes.contains(secret.count) else {
                throw Unusable("k must have \(JWTLimits.secretBytes.lowerBound) to \(JWTLimits.secretBytes.upperBound) bytes")
            }
            return .secret(secret)
        case nil: throw Unusable("it has no kty")
        default: throw Unusable("its kty is none of RSA, EC and oct")
        }
    }

    private static func bytes(_ value: JSONValue, _ name: String) throws(Unusable) -> [UInt8] {
        guard let text = value[name]?.stringValue, let bytes = Base64URL.decode(text.utf8) else {
            throw Unusable("\(name) is no base64url")
        }
        return bytes
    }

    /// A whole number; some issuers write the sign's zero byte in front of it (RFC 7518 §6.3.1.1).
    private static func number(_ value: JSONValue, _ name: String) throws(Unusable) -> [UInt8] {
        Array(try bytes(value, name).drop { $0 == 0 })
    }
}
