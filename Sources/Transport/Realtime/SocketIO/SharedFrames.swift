internal import NIOCore

/// One message as whole WebSocket frames for many sessions, in the form that each revision wants (L4): made once, whoever
/// gets it. Both are the same bytes when nothing in it is binary.
struct SharedFrames: Sendable {
    let frames: ByteBuffer
    let revision3: ByteBuffer

    /// - Parameter servesRevision3: otherwise nobody will ask for ``revision3``.
    init(_ frames: ByteBuffer, servesRevision3: Bool) {
        self.frames = frames
        revision3 = servesRevision3 ? ServerFrames.forRevision3(frames) : frames
    }
}
