/// How a peer broke RFC 6455. The connection is failed with ``closeCode`` (§7.1.7); nothing it sends afterwards counts.
public enum WebSocketFailure: Error, Sendable, Hashable {
    /// RSV1 without permessage-deflate: that extension has not been negotiated (§5.2, RFC 7692 §6).
    case compressionNotNegotiated
    /// RSV1 on a control frame, or on a frame that is not the first of its message (RFC 7692 §6.1).
    case misplacedCompression
    /// Compressed data that cannot be expanded (RFC 7692 §7.2.2).
    case invalidCompressedData
    /// RSV2 or RSV3, which no extension we know defines (§5.2).
    case reservedBits
    /// Opcodes 3-7 and 11-15 (§5.2).
    case reservedOpcode(UInt8)
    /// A control frame without FIN (§5.5).
    case fragmentedControl
    /// A control frame with more than 125 bytes (§5.5).
    case controlTooLong
    /// A client's frame without a mask (§5.1).
    case maskRequired
    /// A server's frame with a mask (§5.1).
    case maskForbidden
    /// A continuation frame with nothing to continue (§5.4).
    case unexpectedContinuation
    /// A new text or binary frame inside a fragmented message (§5.4).
    case continuationExpected
    /// A length in more bytes than it needs (§5.2).
    case lengthNotMinimal
    /// A close payload of one byte (§5.5.1).
    case truncatedCloseCode
    /// A close code that must not be sent (§7.4).
    case invalidCloseCode(UInt16)
    /// Text or a close reason that is not UTF-8 (§8.1).
    case invalidUTF8
    /// A message longer than the limit, by declaration or in sum. A 64-bit length whose top bit is set belongs here too.
    case messageTooBig
    /// A message in more frames than the limit.
    case tooManyFragments

    /// All values of ``closeCode``.
    public static let closeCodes: [UInt16] = [1002, 1007, 1008, 1009]

    /// The status that the close frame reports.
    public var closeCode: UInt16 {
        switch self {
        case .invalidUTF8, .invalidCompressedData: 1007
        case .tooManyFragments: 1008
        case .messageTooBig: 1009
        case .compressionNotNegotiated, .misplacedCompression, .reservedBits, .reservedOpcode, .fragmentedControl, .controlTooLong,
            .maskRequired,
            .maskForbidden, .unexpectedContinuation, .continuationExpected, .lengthNotMinimal, .truncatedCloseCode,
            .invalidCloseCode:
            1002
        }
    }
}
