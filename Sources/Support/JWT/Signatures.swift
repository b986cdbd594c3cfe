internal import COpenSSL

/// RSA and ECDSA through the system's libcrypto: the one file of this target that knows it.
///
/// Pure functions of bytes. The key is made anew for each check (40 microseconds in all for RSA, 90 for ECDSA), so that no pointer is
/// shared between threads.
enum Signatures {
    /// In a time that tells nothing about where the two differ.
    static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.count == other.count && CRYPTO_memcmp(one, other, one.count) == 0
    }

    /// PKCS #1 v1.5 with SHA-256 (RFC 8017 §8.2.2).
    static func isValidRSA(_ signature: [UInt8], of message: ArraySlice<UInt8>, modulus: [UInt8], exponent: [UInt8]) -> Bool {
        guard signature.count == modulus.count, let key = rsaKey(modulus, exponent) else { return false }
        defer { EVP_PKEY_free(key) }
        return isValid(signature, of: message, by: key)
    }

    /// The two numbers of ECDSA side by side, 32 bytes each (RFC 7518 §3.4).
    static func isValidP256(_ signature: [UInt8], of message: ArraySlice<UInt8>, x: [UInt8], y: [UInt8]) -> Bool {
        guard signature.count == 64, let der = der(signature), let key = p256Key(x, y) else { return false }
        defer { EVP_PKEY_free(key) }
        return isValid(der, of: message, by: key)
    }

    /// Whether libcrypto takes these numbers for a public key.
    static func isRSAKey(modulus: [UInt8], exponent: [UInt8]) -> Bool { isKey(rsaKey(modulus, exponent)) }

    /// Whether it is a point of the curve.
    static func isP256Key(x: [UInt8], y: [UInt8]) -> Bool { isKey(p256Key(x, y)) }

    private static func isKey(_ key: OpaquePointer?) -> Bool {
        guard let key else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else { return false }
        defer { EVP_PKEY_CTX_free(context) }
        let isKey = EVP_PKEY_public_check(context) == 1
        if !isKey { ERR_clear_error() }
        return isKey
    }

    private static func isValid(_ signature: [UInt8], of message: ArraySlice<UInt8>, by key: OpaquePointer) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        let message = [UInt8](message)
        let isValid =
            EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        // What is refused leaves its reasons with the thread, where the next caller would find them.
        if !isValid { ERR_clear_error() }
        return isValid
    }

    private static func rsaKey(_ modulus: [UInt8], _ exponent: [UInt8]) -> OpaquePointer? {
        guard let n = BN_bin2bn(modulus, Int32(modulus.count), nil) else { return nil }
        defer { BN_free(n) }
        guard let e = BN_bin2bn(exponent, Int32(exponent.count), nil) else { return nil }
        defer { BN_free(e) }
        return key("RSA") { kdcube_push_rsa($0, n, e) == 1 }
    }

    private static func p256Key(_ x: [UInt8], _ y: [UInt8]) -> OpaquePointer? {
        // The form of a point that is not compressed (SEC 1 §2.3.3).
        let point = [4] + x + y
        return point.withUnsafeBytes { point in
            key("EC") { kdcube_push_p256($0, point.baseAddress, point.count) == 1 }
        }
    }

    /// A public key from its numbers, which `push` adds. The caller frees it.
    private static func key(_ type: String, push: (OpaquePointer) -> Bool) -> OpaquePointer? {
        guard let builder = OSSL_PARAM_BLD_new() else { return nil }
        defer { OSSL_PARAM_BLD_free(builder) }
        guard push(builder), let parameters = OSSL_PARAM_BLD_to_param(builder) else { return nil }
        defer { OSSL_PARAM_free(parameters) }
        guard let context = EVP_PKEY_CTX_new_from_name(nil, type, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_fromdata_init(context) == 1, EVP_PKEY_fromdata(context, &key, KDCUBE_PKEY_PUBLIC_KEY, parameters) == 1 else {
            ERR_clear_error()
            return nil
        }
        return key
    }

    /// `r || s` as the SEQUENCE of two INTEGERs that libcrypto reads; nil when one of them is zero.
    static func der(_ signature: [UInt8]) -> [UInt8]? {
        guard let r = integer(signature[..<32]), let s = integer(signature[32...]) else { return nil }
        return [0x30, UInt8(r.count + s.count)] + r + s
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        let digits = bytes.drop { $0 == 0 }
        guard let first = digits.first else { return nil }
        // A first bit that is set would mean a negative number.
        let sign: [UInt8] = first & 0x80 == 0 ? [] : [0]
        return [0x02, UInt8(sign.count + digits.count)] + sign + digits
    }
}
