internal import NIOCore

extension ByteBuffer {
    /// Adds what a connection has sent to what is left of its earlier reads.
    ///
    /// What was taken out of those is forgotten: a buffer keeps it for as long as no read ends where a frame does, and a client can see to
    /// it that none ever does.
    mutating func append(read bytes: consuming ByteBuffer) {
        guard readableBytes > 0 else {
            self = bytes
            return
        }
        discardReadBytes()
        writeBuffer(&bytes)
    }
}
