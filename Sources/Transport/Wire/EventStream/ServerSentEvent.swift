public import NIOCore

/// One event of a `text/event-stream`.
///
/// Source: WHATWG HTML, *Server-sent events*, §9.2.5 (parsing) and §9.2.6 (interpretation).
public struct ServerSentEvent: Sendable, Equatable {
    /// The event type; nil means `message`.
    public let event: String?
    /// What the client sends back as `Last-Event-ID`; nil leaves the previous one in force.
    public let id: String?
    /// UTF-8 text. Every line break, CR, LF or CRLF, reaches the client as LF.
    public let data: ByteBuffer

    /// - Throws: ``WireError/invalidEventField`` when the type or the id holds a line break or a NUL.
    public init(event: String? = nil, id: String? = nil, data: ByteBuffer) throws(WireError) {
        guard Self.isField(event), Self.isField(id) else { throw .invalidEventField }
        self.event = event
        self.id = id
        self.data = data
    }

    private static func isField(_ text: String?) -> Bool {
        guard let text else { return true }
        return !text.utf8.contains { $0 == 0x0A || $0 == 0x0D || $0 == 0 }
    }

    /// Appends the event and the blank line that dispatches it.
    public func encode(into output: inout ByteBuffer) {
        output.reserveCapacity(minimumWritableBytes: data.readableBytes + (event?.utf8.count ?? 0) + (id?.utf8.count ?? 0) + 32)
        if let event { Self.line("event: ", event, into: &output) }
        if let id { Self.line("id: ", id, into: &output) }
        data.withUnsafeReadableBytes { Self.lines($0, prefix: "data: ", into: &output) }
        output.writeInteger(UInt8(ascii: "\n"))
    }

    /// Appends a comment, which clients ignore and proxies count as traffic.
    public static func comment(_ text: String, into output: inout ByteBuffer) {
        var text = text
        text.withUTF8 { lines(UnsafeRawBufferPointer($0), prefix: ": ", into: &output) }
        output.writeInteger(UInt8(ascii: "\n"))
    }

    /// Appends the delay after which a client reconnects.
    public static func retry(milliseconds: Int, into output: inout ByteBuffer) {
        line("retry: ", String(milliseconds), into: &output)
        output.writeInteger(UInt8(ascii: "\n"))
    }

    private static func line(_ name: StaticString, _ value: String, into output: inout ByteBuffer) {
        output.writeStaticString(name)
        output.writeString(value)
        output.writeInteger(UInt8(ascii: "\n"))
    }

    /// One line of output for each line of text; an empty text is one empty line.
    private static func lines(_ text: UnsafeRawBufferPointer, prefix: StaticString, into output: inout ByteBuffer) {
        var start = 0
        while true {
            var end = start
            while end < text.count, text[end] != 0x0A, text[end] != 0x0D { end += 1 }
            output.writeStaticString(prefix)
            output.writeBytes(UnsafeRawBufferPointer(rebasing: text[start..<end]))
            output.writeInteger(UInt8(ascii: "\n"))
            guard end < text.count else { return }
            let isPair = text[end] == 0x0D && end + 1 < text.count && text[end + 1] == 0x0A
            start = end + (isPair ? 2 : 1)
        }
    }
}
