internal import NIOCore
internal import TransportWire

/// Outgoing packets travel through the server as whole WebSocket frames, because nearly all leave as such; a frame of
/// a server is not masked, so a poll's answer is read back out of the same bytes.
enum ServerFrames {
    static let ping = WebSocketFrameWriter.frame(EngineIOPacket.ping(ByteBuffer()))
    static let probePong = WebSocketFrameWriter.frame(EngineIOPacket.pong(EngineIOPacket.probe))

    struct Frame {
        let isBinary: Bool
        let isControl: Bool
        let payload: ByteBuffer
    }

    /// Takes the first frame off `buffer`; nil when it is empty. Only for bytes that ``WebSocketFrameWriter`` built.
    static func next(_ buffer: inout ByteBuffer) -> Frame? {
        guard let first = buffer.readInteger(as: UInt8.self), let second = buffer.readInteger(as: UInt8.self) else { return nil }
        let length: Int? =
            switch second & 0x7F {
            case 126: buffer.readInteger(as: UInt16.self).map(Int.init)
            case 127: buffer.readInteger(as: UInt64.self).flatMap { Int(exactly: $0) }
            case let short: Int(short)
            }
        guard let length, let payload = buffer.readSlice(length: length) else { return nil }
        return Frame(isBinary: first & 0x0F == WebSocketOpcode.binary.rawValue, isControl: first & 0x08 != 0, payload: payload)
    }
}

/// The body of one poll's answer, up to a number of bytes (E23, E27).
struct PollBody {
    private(set) var bytes = ByteBuffer()
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Moves frames off the front of `frames` into the body while they fit; the first always does. False when some stay.
    mutating func take(from frames: inout ByteBuffer) -> Bool {
        while frames.readableBytes > 0 {
            var rest = frames
            guard let frame = ServerFrames.next(&rest) else { return true }
            let (isBinary, payload) = (frame.isBinary, frame.payload)
            let length = isBinary ? 1 + Base64.encodedLength(of: payload.readableBytes) : payload.readableBytes
            if bytes.readableBytes > 0 {
                guard bytes.readableBytes + 1 + length <= limit else { return false }
                bytes.writeInteger(UInt8(0x1E))
            }
            if isBinary {
                bytes.writeInteger(UInt8(ascii: "b"))
                Base64.encode(payload, into: &bytes)
            } else {
                bytes.writeImmutableBuffer(payload)
            }
            frames = rest
        }
        return true
    }
}
