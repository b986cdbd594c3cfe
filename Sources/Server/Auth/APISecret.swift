internal import Digest

/// The secret half of an API key: shown once, stored as a hash.
///
/// 32 bytes from the system's CSPRNG, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would
/// protect, and every request pays for the check.
struct APISecret: Sendable {
    static let prefix = "kd-"

    /// What the client sends: `kd-` and 43 URL-safe characters.
    let secret: String

    init() {
        secret = Self.prefix + RandomText.urlSafe(bytes: 32)
    }

    /// The hash under which a presented credential is looked up. Bounded, because it comes from outside.
    static func hash(ofCredential credential: String) -> String? {
        guard credential.hasPrefix(prefix), credential.utf8.count <= 128 else { return nil }
        return Digest.hex(Digest.sha256(credential.utf8))
    }
}

/// Text from the system's CSPRNG.
enum RandomText {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// URL-safe base64 of `bytes` random bytes, without padding.
    static func urlSafe(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        let characters = (count * 8 + 5) / 6
        return String(decoding: (0..<characters).map { _ in alphabet[Int(generator.next() & 63)] }, as: UTF8.self)
    }
}
