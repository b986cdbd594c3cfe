internal import NIOCore

/// One command, already in RESP: built on the thread that asks, so that the event loop only copies bytes.
public struct RedisCommand: Sendable {
    private(set) var body = ByteBuffer()
    private(set) var count = 0

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

    /// Bytes on the wire, the length line not counted.
    var size: Int { body.readableBytes }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeString("*\(count)\r\n")
        buffer.writeImmutableBuffer(body)
    }
}
