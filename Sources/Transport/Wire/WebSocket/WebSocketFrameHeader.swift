import NIOCore

/// The header of one frame (RFC 6455 §5.2), checked for everything that needs no knowledge of earlier frames.
struct WebSocketFrameHeader: Sendable, Equatable {
    let isFinal: Bool
    /// RSV1: the message that this frame begins is compressed (RFC 7692 §6).
    let isCompressed: Bool
    let opcode: WebSocketOpcode
    /// Bytes of payload that follow the header.
    let length: Int
    /// Nil in a server's frame.
    let mask: WebSocketMask?

    /// Reads a header from the front of `buffer`; nil, and nothing is consumed, until all of it is there.
    ///
    /// The first two bytes are judged as soon as they have come.
    static func read(
        from buffer: inout ByteBuffer, role: WebSocketRole, allowsCompression: Bool
    ) throws(WebSocketFailure) -> WebSocketFrameHeader? {
        let start = buffer.readerIndex
        guard let first = buffer.getInteger(at: start, as: UInt8.self), let second = buffer.getInteger(at: start + 1, as: UInt8.self)
        else { return nil }
        guard first & 0x30 == 0 else { throw .reservedBits }
        let isCompressed = first & 0x40 != 0
        guard !isCompressed || allowsCompression else { throw .compressionNotNegotiated }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .reservedOpcode(first & 0x0F) }
        let isFinal = first & 0x80 != 0
        let isMasked = second & 0x80 != 0
        switch role {
        case .server: guard isMasked else { throw .maskRequired }
        case .client: guard !isMasked else { throw .maskForbidden }
        }
        guard !isCompressed || opcode == .text || opcode == .binary else { throw .misplacedCompression }
        if opcode.isControl {
            guard isFinal else { throw .fragmentedControl }
            guard second & 0x7F <= 125 else { throw .controlTooLong }
        }
        guard let (length, lengthBytes) = try readLength(second & 0x7F, at: start + 2, of: buffer) else { return nil }
        var size = 2 + lengthBytes
        var mask: WebSocketMask?
        if isMasked {
            guard let key = buffer.getInteger(at: start + size, as: UInt32.self) else { return nil }
            mask = WebSocketMask(key: key)
            size += 4
        }
        buffer.moveReaderIndex(forwardBy: size)
        return WebSocketFrameHeader(isFinal: isFinal, isCompressed: isCompressed, opcode: opcode, length: length, mask: mask)
    }

    private static func readLength(
        _ short: UInt8, at index: Int, of buffer: ByteBuffer
    ) throws(WebSocketFailure) -> (length: Int, bytes: Int)? {
        switch short {
        case 126:
            guard let length = buffer.getInteger(at: index, as: UInt16.self) else { return nil }
            guard length > 125 else { throw .lengthNotMinimal }
            return (Int(length), 2)
        case 127:
            guard let length = buffer.getInteger(at: index, as: UInt64.self) else { return nil }
            guard length > UInt64(UInt16.max) else { throw .lengthNotMinimal }
            // Beyond 2^53 other implementations lose count; the top bit, which must be zero, is far beyond.
            guard length <= 1 << 53 else { throw .messageTooBig }
            return (Int(length), 8)
        default:
            return (Int(short), 0)
        }
    }
}
