/// One event of a `text/event-stream`.
public struct ServerSentEvent: Sendable, Hashable {
    /// Nil for an unnamed event.
    public var name: String?
    /// The lines of `data`, joined by line feeds. Not checked to be UTF-8: the JSON parser does that.
    public var data: [UInt8]
    /// The last `id` seen in the stream so far.
    public var id: String?

    public init(name: String?, data: [UInt8], id: String?) {
        self.name = name
        self.data = data
        self.id = id
    }
}

/// Why a stream is given up.
public enum EventStreamError: Error, Sendable, Hashable {
    case lineTooLong
    case eventTooLong
}

/// An incremental parser of server-sent events: any split of the bytes gives the same events.
///
/// Source: WHATWG HTML, *Parsing an event stream*. Comments, `retry` and unknown fields are ignored; an event that the
/// end of the stream cuts off is dropped, as the standard says.
public struct EventStreamParser: Sendable {
    private let lineBytesMax: Int
    private let eventBytesMax: Int
    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false
    private var name: String?
    private var id: String?
    /// A line feed right after a carriage return belongs to it.
    private var skipsLineFeed = false
    private var isFirstLine = true

    /// - Parameters:
    ///   - lineBytesMax: what comes is mostly one line of JSON; a megabyte holds the largest tool call that the engine takes.
    ///   - eventBytesMax: bounds events of many lines.
    public init(lineBytesMax: Int = 1 << 20, eventBytesMax: Int = 4 << 20) {
        self.lineBytesMax = lineBytesMax
        self.eventBytesMax = eventBytesMax
    }

    /// Takes the next bytes and appends the events that they complete.
    public mutating func push(
        _ bytes: UnsafeRawBufferPointer, into events: inout [ServerSentEvent]
    ) throws(EventStreamError) {
        var start = 0
        for index in bytes.indices {
            let byte = bytes[index]
            if skipsLineFeed {
                skipsLineFeed = false
                if byte == UInt8(ascii: "\n") {
                    start = index + 1
                    continue
                }
            }
            guard byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else { continue }
            try extendLine(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            start = index + 1
            skipsLineFeed = byte == UInt8(ascii: "\r")
            try endLine(into: &events)
        }
        try extendLine(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    private mutating func extendLine(_ bytes: UnsafeRawBufferPointer) throws(EventStreamError) {
        guard line.count + bytes.count <= lineBytesMax else { throw .lineTooLong }
        line.append(contentsOf: bytes)
    }

    private mutating func endLine(into events: inout [ServerSentEvent]) throws(EventStreamError) {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        }
        guard !line.isEmpty else { return dispatch(into: &events) }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[min(colon + 1, line.endIndex)...]
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        let field = line[..<colon]
        if field.elementsEqual("data".utf8) {
            guard data.count + value.count < eventBytesMax else { throw .eventTooLong }
            if hasData { data.append(UInt8(ascii: "\n")) }
            data.append(contentsOf: value)
            hasData = true
        } else if field.elementsEqual("event".utf8) {
            name = value.isEmpty ? nil : String(decoding: value, as: UTF8.self)
        } else if field.elementsEqual("id".utf8), !value.contains(0) {
            id = String(decoding: value, as: UTF8.self)
        }
    }

    private mutating func dispatch(into events: inout [ServerSentEvent]) {
        if hasData { events.append(ServerSentEvent(name: name, data: data, id: id)) }
        data = []
        hasData = false
        name = nil
    }
}
