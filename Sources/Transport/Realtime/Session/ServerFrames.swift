internal import NIOCore
internal import TransportWire

/// Outgoing packets travel through the server as whole WebSocket frames, because nearly all leave as such; a frame of
/// a server is not masked, so a poll's answer is read back out of the same bytes.
enum ServerFrames {
    static let ping = WebSocketFrameWriter.frame(EngineIOPacket.ping(ByteBuffer()))
    static let pong = WebSocketFrameWriter.frame(EngineIOPacket.pong(ByteBuffer()))
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

    /// The same frames for clients of revision 3: a type byte before the data of binary ones (L4). The same bytes when there
    /// are none, as in nearly all messages.
    static func forRevision3(_ frames: ByteBuffer) -> ByteBuffer {
        var rest = frames
        var binaries = 0
        while let frame = next(&rest) { binaries += frame.isBinary ? 1 : 0 }
        guard binaries > 0 else { return frames }
        rest = frames
        var output = ByteBuffer()
        // A length may need two or eight bytes more than before.
        output.reserveCapacity(frames.readableBytes + binaries * 9)
        while let frame = next(&rest) {
            let payload = frame.payload
            WebSocketFrameWriter.header(
                frame.isBinary ? .binary : .text, length: payload.readableBytes + (frame.isBinary ? 1 : 0), into: &output)
            if frame.isBinary { output.writeInteger(EngineIOCodec.binaryMessageType) }
            output.writeImmutableBuffer(payload)
        }
        return output
    }
}

/// The body of one poll's answer, up to a number of bytes (E23, E27).
struct PollBody {
    private var joined = ByteBuffer()
    private var counted: PollingPayloadV3Encoder?
    private let limit: Int

    init(limit: Int, form: SessionForm) {
        self.limit = limit
        if form.revision == .three { counted = PollingPayloadV3Encoder(limit: limit, allowsBytes: !form.isBase64) }
    }

    /// A body of one packet without data.
    init(_ type: Character, form: SessionForm) {
        self.init(limit: .max, form: form)
        var frames = WebSocketFrameWriter.frame(.text, payload: ByteBuffer(string: String(type)))
        _ = take(from: &frames)
    }

    var bytes: ByteBuffer { counted?.encode() ?? joined }
    /// True for revision 3's byte form (L3).
    var isBinary: Bool { counted?.isBinary ?? false }

    /// Moves frames off the front of `frames` into the body while they fit; the first always does. False when some stay.
    mutating func take(from frames: inout ByteBuffer) -> Bool {
        while frames.readableBytes > 0 {
            var rest = frames
            guard let frame = ServerFrames.next(&rest) else { return true }
            let (isBinary, payload) = (frame.isBinary, frame.payload)
            guard counted == nil else {
                // What stands before the data of a binary frame is not the body's (L4).
                guard counted?.append(isBinary ? payload.withoutFirst : payload, isBinary: isBinary) == true else { return false }
                frames = rest
                continue
            }
            let length = isBinary ? 1 + Base64.encodedLength(of: payload.readableBytes) : payload.readableBytes
            if joined.readableBytes > 0 {
                guard joined.readableBytes + 1 + length <= limit else { return false }
                joined.writeInteger(UInt8(0x1E))
            }
            if isBinary {
                joined.writeInteger(UInt8(ascii: "b"))
                Base64.encode(payload, into: &joined)
            } else {
                joined.writeImmutableBuffer(payload)
            }
            frames = rest
        }
        return true
    }
}

extension ByteBuffer {
    fileprivate var withoutFirst: ByteBuffer {
        var rest = self
        rest.moveReaderIndex(forwardBy: 1)
        return rest
    }
}
