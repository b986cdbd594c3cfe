internal import COpenSSL

/// The hash functions that protocols and stored secrets need, from the system's libcrypto.
///
/// A system library rather than swift-crypto, because that would compile a second copy of BoringSSL
/// (see `docs/adr/0003-system-libcrypto.md`).
public enum Digest {
    /// SHA-1, for the WebSocket opening handshake only (RFC 6455 §4.2.2); 20 bytes.
    public static func sha1(_ data: some Sequence<UInt8>) -> [UInt8] {
        let input = [UInt8](data)
        var output = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        _ = SHA1(input, input.count, &output)
        return output
    }

    /// SHA-256 (FIPS 180-4); 32 bytes.
    public static func sha256(_ data: some Sequence<UInt8>) -> [UInt8] {
        let input = [UInt8](data)
        var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        _ = SHA256(input, input.count, &output)
        return output
    }

    /// HMAC with SHA-256 (RFC 2104, FIPS 198-1); 32 bytes.
    public static func hmacSHA256(_ data: some Sequence<UInt8>, key: some Sequence<UInt8>) -> [UInt8] {
        let block = 64
        var padded = [UInt8](key)
        if padded.count > block { padded = sha256(padded) }
        padded += repeatElement(0, count: block - padded.count)
        return sha256(padded.map { $0 ^ 0x5C } + sha256(padded.map { $0 ^ 0x36 } + [UInt8](data)))
    }

    /// Lower-case hexadecimal.
    public static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of hexadecimal digits in lower case; nil for anything else.
    public static func bytes(hex text: some StringProtocol) -> [UInt8]? {
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
