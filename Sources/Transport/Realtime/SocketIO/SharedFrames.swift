internal import NIOCore
internal import TransportWire

/// One message as whole WebSocket frames for many sessions, in the form that each revision wants (L4): made once, whoever
/// gets it. Both are the same bytes when nothing in it is binary.
struct SharedFrames: Sendable {
    private(set) var frames: ByteBuffer
    private(set) var revision3: ByteBuffer

    /// - Parameter servesRevision3: otherwise nobody will ask for ``revision3``.
    init(_ frames: ByteBuffer, servesRevision3: Bool) {
        self.frames = frames
        revision3 = servesRevision3 ? ServerFrames.forRevision3(frames) : frames
    }

    /// Writes over what stands at `index` of ``frames``, and in the same place of ``revision3``: before the bytes that one of
    /// both has more, or with MessagePack after them.
    mutating func write(_ offset: RecoveryOffset, at index: Int) {
        if revision3.readableBytes == frames.readableBytes {
            // The same bytes: written in place, because nobody else holds them now.
            revision3 = ByteBuffer()
            offset.write(into: &frames, at: index)
            revision3 = frames
        } else {
            let isText = frames.getInteger(at: frames.readerIndex, as: UInt8.self).map { $0 & 0x0F == WebSocketOpcode.text.rawValue }
            offset.write(into: &revision3, at: isText == true ? index : index + revision3.writerIndex - frames.writerIndex)
            offset.write(into: &frames, at: index)
        }
    }
}
