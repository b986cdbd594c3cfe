public import NIOCore

/// Builds WebSocket frames (RFC 6455 §5.2), each in one buffer of the right size.
///
/// Server frames are immutable once built, so one frame serves every receiver of a broadcast.
public enum WebSocketFrameWriter {
    /// Bytes of the header of an unmasked frame.
    public static func headerLength(payload length: Int) -> Int {
        length <= 125 ? 2 : length <= Int(UInt16.max) ? 4 : 10
    }

    /// A whole server frame.
    public static func frame(_ opcode: WebSocketOpcode, payload: ByteBuffer) -> ByteBuffer {
        let length = payload.readableBytes
        var output = ByteBufferAllocator().buffer(capacity: headerLength(payload: length) + length)
        header(opcode, length: length, into: &output)
        output.writeImmutableBuffer(payload)
        return output
    }

    /// Appends a whole server frame.
    public static func frame(_ opcode: WebSocketOpcode, payload: ByteBuffer, isFinal: Bool = true, into output: inout ByteBuffer) {
        let length = payload.readableBytes
        output.reserveCapacity(minimumWritableBytes: headerLength(payload: length) + length)
        header(opcode, length: length, isFinal: isFinal, into: &output)
        output.writeImmutableBuffer(payload)
    }

    /// A server text frame of `prefix` and `payload`: an Engine.IO text packet without a buffer of its own (E28).
    public static func textFrame(prefix: UInt8, payload: ByteBuffer) -> ByteBuffer {
        let length = 1 + payload.readableBytes
        var output = ByteBufferAllocator().buffer(capacity: headerLength(payload: length) + length)
        writeText(prefix, payload, into: &output)
        return output
    }

    /// Appends a server text frame of `prefix` and `payload`.
    public static func textFrame(prefix: UInt8, payload: ByteBuffer, into output: inout ByteBuffer) {
        let length = 1 + payload.readableBytes
        output.reserveCapacity(minimumWritableBytes: headerLength(payload: length) + length)
        writeText(prefix, payload, into: &output)
    }

    private static func writeText(_ prefix: UInt8, _ payload: ByteBuffer, into output: inout ByteBuffer) {
        let length = 1 + payload.readableBytes
        if length <= 125 {
            // One write for the header and prefix of nearly every frame.
            output.writeMultipleIntegers(0x80 | WebSocketOpcode.text.rawValue, UInt8(length), prefix)
        } else {
            header(.text, length: length, into: &output)
            output.writeInteger(prefix)
        }
        output.writeImmutableBuffer(payload)
    }

    /// A server frame that carries one Engine.IO packet: binary as such, all others as text (E28).
    public static func frame(_ packet: EngineIOPacket) -> ByteBuffer {
        switch packet {
        case .binary(let payload): frame(.binary, payload: payload)
        case .open(let payload), .ping(let payload), .pong(let payload), .message(let payload):
            textFrame(prefix: EngineIOCodec.typeByte(of: packet), payload: payload)
        case .close, .upgrade, .noop: textFrame(prefix: EngineIOCodec.typeByte(of: packet), payload: ByteBuffer())
        }
    }

    /// A server close frame: exactly the code and the reason (attack 15).
    ///
    /// Without a code the payload is empty, as it is for codes that must not stand in a frame (§7.4.1). A reason is cut
    /// at a character so that the payload is at most 125 bytes.
    public static func close(code: UInt16?, reason: String = "") -> ByteBuffer {
        frame(.close, payload: closePayload(code: code, reason: reason))
    }

    /// The payload of a close frame, for ``close(code:reason:)`` or a client.
    public static func closePayload(code: UInt16?, reason: String = "") -> ByteBuffer {
        guard let code, WebSocketClosePayload.isSendable(code) else { return ByteBuffer() }
        var payload = ByteBuffer()
        payload.reserveCapacity(2 + min(reason.utf8.count, 123))
        payload.writeInteger(code)
        var room = 123
        for scalar in reason.unicodeScalars {
            let encoded = UTF8.encode(scalar).map(Array.init) ?? []
            guard encoded.count <= room else { break }
            payload.writeBytes(encoded)
            room -= encoded.count
        }
        return payload
    }

    /// A whole client frame, masked with `key`, which must be unpredictable (§5.3). For tests and the load generator.
    public static func clientFrame(
        _ opcode: WebSocketOpcode, payload: ByteBuffer, key: UInt32, isFinal: Bool = true
    ) -> ByteBuffer {
        let length = payload.readableBytes
        let size = headerLength(payload: length)
        var output = ByteBuffer()
        output.reserveCapacity(size + 4 + length)
        header(opcode, length: length, isFinal: isFinal, isMasked: true, into: &output)
        output.writeInteger(key)
        output.writeImmutableBuffer(payload)
        output.withUnsafeMutableReadableBytes { bytes in
            let masked = UnsafeMutableRawBufferPointer(rebasing: bytes[(size + 4)...])
            WebSocketMask(key: key).apply(to: masked, offset: 0)
        }
        return output
    }

    /// Appends the header of a whole message that permessage-deflate has compressed: RSV1 is set (RFC 7692 §6).
    public static func compressedHeader(_ opcode: WebSocketOpcode, length: Int, into output: inout ByteBuffer) {
        let start = output.writerIndex
        header(opcode, length: length, into: &output)
        output.setInteger(0xC0 | opcode.rawValue, at: start)
    }

    /// Appends a header alone, for a payload that is written separately.
    public static func header(
        _ opcode: WebSocketOpcode, length: Int, isFinal: Bool = true, isMasked: Bool = false, into output: inout ByteBuffer
    ) {
        let first: UInt8 = (isFinal ? 0x80 : 0) | opcode.rawValue
        let mask: UInt8 = isMasked ? 0x80 : 0
        switch length {
        case ...125:
            output.writeMultipleIntegers(first, mask | UInt8(length))
        case ...Int(UInt16.max):
            output.writeMultipleIntegers(first, mask | 126, UInt16(length))
        default:
            output.writeMultipleIntegers(first, mask | 127, UInt64(length))
        }
    }
}
