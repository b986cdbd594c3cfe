internal import NIOCore

/// One command, already in RESP: built on the thread that asks, so that the event loop only copies bytes.
public struct RedisCommand: Sendable {
    private(set) var body = ByteBuffer()
    private(set) var count = 0
    /// Where the word goes that names the Redis process at the other end; see ``appendIncarnation()``.
    private var incarnationOffset: Int?
    /// Set when it may be carried out in this life of the data only; another Redis is given a word that it does not answer to.
    package var onlyLife: RedisLife?

    public init(_ words: String...) {
        for word in words { append(word) }
    }

    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            body.writeString("$\(bytes.count)\r\n")
            body.writeBytes(bytes)
        }
        body.writeStaticString("\r\n")
        count += 1
    }

    public mutating func append(_ bytes: [UInt8]) {
        body.writeString("$\(bytes.count)\r\n")
        body.writeBytes(bytes)
        body.writeStaticString("\r\n")
        count += 1
    }

    public mutating func append(_ number: Int64) {
        append(String(number))
    }

    /// Appends the `run_id` of the Redis that the command will be sent to. It is only known when the command is sent: what was
    /// meant for one process must not be carried out by its successor, which may have lost data.
    package mutating func appendIncarnation() {
        incarnationOffset = body.writerIndex
        count += 1
    }

    /// Bytes on the wire, the length line not counted.
    var size: Int { body.readableBytes }

    func write(into buffer: inout ByteBuffer, incarnation: String) {
        buffer.writeString("*\(count)\r\n")
        guard let offset = incarnationOffset, let head = body.getSlice(at: 0, length: offset),
            let tail = body.getSlice(at: offset, length: body.writerIndex - offset)
        else {
            buffer.writeImmutableBuffer(body)
            return
        }
        buffer.writeImmutableBuffer(head)
        let word = onlyLife.map { $0.incarnation == incarnation ? "\(incarnation) \($0.number)" : "" } ?? incarnation
        buffer.writeString("$\(word.utf8.count)\r\n\(word)\r\n")
        buffer.writeImmutableBuffer(tail)
    }
}
