internal import COpenSSL

/// SHA-256 (FIPS 180-4) of what is fed piece by piece, for what is too large to hold in memory at once.
///
/// Owns its libcrypto context, so it cannot be copied; a value of its own, confined to whoever holds it.
public struct SHA256Stream: ~Copyable {
    private let context: OpaquePointer

    /// Nil when libcrypto has no memory or no SHA-256 (a provider configuration without it).
    public init?() {
        guard let context = EVP_MD_CTX_new() else { return nil }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            return nil
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// The 32 bytes; the stream ends with it.
    public consuming func finish() -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        _ = EVP_DigestFinal_ex(context, &output, nil)
        return output
    }
}
