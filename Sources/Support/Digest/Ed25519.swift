internal import COpenSSL

/// A key that signs with Ed25519 (RFC 8032), through the system's libcrypto.
///
/// A value that holds the 32 secret bytes; print it nowhere. Signing is a pure function of key and message.
public struct Ed25519PrivateKey: Sendable {
    public static let bytes = 32

    /// The secret bytes, for the file that keeps them.
    public let seed: [UInt8]
    /// What others check signatures with; 32 bytes.
    public let publicKey: [UInt8]

    /// Nil when these are not 32 bytes, or when libcrypto has no Ed25519.
    public init?(seed: [UInt8]) {
        guard seed.count == Self.bytes, let key = Self.make(seed) else { return nil }
        defer { EVP_PKEY_free(key) }
        var (publicKey, count) = ([UInt8](repeating: 0, count: Ed25519.publicKeyBytes), Ed25519.publicKeyBytes)
        guard EVP_PKEY_get_raw_public_key(key, &publicKey, &count) == 1, count == Ed25519.publicKeyBytes else { return nil }
        self.seed = seed
        self.publicKey = publicKey
    }

    /// A new key from the system's random bytes.
    public static func generate() -> Ed25519PrivateKey? {
        var random = SystemRandomNumberGenerator()
        return Ed25519PrivateKey(seed: (0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }

    /// 64 bytes; nil when libcrypto has no memory.
    public func sign(_ message: [UInt8]) -> [UInt8]? {
        guard let key = Self.make(seed) else { return nil }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        var (signature, count) = ([UInt8](repeating: 0, count: Ed25519.signatureBytes), Ed25519.signatureBytes)
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == Ed25519.signatureBytes
        else { return nil }
        return signature
    }

    private static func make(_ seed: [UInt8]) -> OpaquePointer? {
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
    }
}

/// The check of Ed25519 signatures (RFC 8032 §5.1.7).
public enum Ed25519 {
    public static let publicKeyBytes = 32
    public static let signatureBytes = 64

    /// False also for a key or a signature that is none.
    public static func isValid(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureBytes, publicKey.count == publicKeyBytes,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}
