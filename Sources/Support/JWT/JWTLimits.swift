/// The bounds of what a token and a key file may be; more is refused before it is looked at.
public enum JWTLimits {
    /// Bytes of a token. Headers of a request are not larger, and a token with a hundred roles has three kilobytes.
    public static let tokenBytesMax = 8 << 10
    /// Bytes of a key file. 64 RSA keys with certificates stay below.
    public static let keyFileBytesMax = 256 << 10
    /// Keys of a file. An issuer that rotates has two or three.
    public static let keysMax = 64
    /// Keys that a token without `kid` is tried with: each costs a signature check, and whoever calls pays nothing for it.
    public static let keysTriedMax = 8
    /// Bits of an RSA modulus: RFC 7518 §3.3 demands the least; a check costs the square of the length.
    public static let rsaBits = 2_048...8_192
    /// Bytes of an RSA exponent; everybody uses 65537.
    public static let rsaExponentBytesMax = 4
    /// Bytes of a secret for HS256: as many as its hash has (RFC 7518 §3.2), and at most what a file could mean.
    public static let secretBytes = 32...1_024
    /// Roles of one token.
    public static let rolesMax = 64
    /// How far the issuer's clock may be from ours, in seconds.
    public static let skewSeconds: Int64 = 60
    /// Bytes of one text in a token.
    public static let textBytesMax = 1_024
    /// The end of the year 9999. Later times are somebody's milliseconds.
    public static let timeMax: Int64 = 253_402_300_799
}
