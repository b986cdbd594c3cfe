internal import NIOCore
internal import TransportWire

/// One message as whole WebSocket frames for many sessions, in the form that each revision wants (L4): made once, whoever
/// gets it. Both are the same bytes when nothing in it is binary and nothing in it is for one revision alone.
struct SharedFrames: Sendable {
    private(set) var frames: ByteBuffer
    private(set) var revision3: ByteBuffer

    /// - Parameters:
    ///   - servesRevision3: otherwise nobody will ask for ``revision3``.
    ///   - other: what clients of revision 3 get instead, in the form of revision 4.
    init(_ frames: ByteBuffer, servesRevision3: Bool, insteadForRevision3 other: @autoclosure () -> ByteBuffer? = nil) {
        self.frames = frames
        revision3 = servesRevision3 ? ServerFrames.forRevision3(other() ?? frames) : frames
    }

    /// Writes over what stands at `index` of ``frames``. Clients of revision 3 do not come back and get no offset.
    mutating func write(_ offset: RecoveryOffset, at index: Int, servesRevision3: Bool) {
        // Without them both are the same buffer, which is written in place because nobody else holds it now.
        if !servesRevision3 { revision3 = ByteBuffer() }
        offset.write(into: &frames, at: index)
        if !servesRevision3 { revision3 = frames }
    }
}
