internal import NIOCore

/// Takes words out of what Redis says on one connection: replies, or what it pushes. Confined to its connection's event loop.
protocol RedisReader: ~Copyable, SendableMetatype {
    associatedtype Word

    init() throws(RedisFault)
    mutating func feed(_ bytes: ByteBuffer) throws(RedisFault)
    /// The next complete one, or nil when more bytes are needed. After a throw the reader is of no more use.
    mutating func next() throws(RedisFault) -> Word?
}

extension RedisParser: RedisReader {
    mutating func feed(_ bytes: ByteBuffer) throws(RedisFault) {
        try bytes.withUnsafeReadableBytes { bytes throws(RedisFault) in try feed(bytes) }
    }
}

/// A ``RedisPushParser`` with the bytes that it has not taken.
struct RedisPushReader: RedisReader {
    private var parser = RedisPushParser()
    private var input = ByteBuffer()

    mutating func feed(_ bytes: ByteBuffer) {
        if input.readableBytes > 0 { input.writeImmutableBuffer(bytes) } else { input = bytes }
    }

    mutating func next() throws(RedisFault) -> RedisPush? {
        if let push = try parser.next(&input) { return push }
        // What was handed on holds its storage by itself.
        if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
        return nil
    }
}
