/// The `data` of server-sent events, from any split of their bytes.
///
/// Source: WHATWG HTML, *Parsing an event stream*. Names, ids, comments and `retry` are ignored: what an MCP server sends is in the data
/// alone. An event that the end of the stream cuts off is dropped.
struct EventStreamReader: Sendable {
    private var framer: LineCutter
    private let bytesMax: Int
    private var data: [UInt8]?

    init(bytesMax: Int = AdapterLimits.messageBytesMax) {
        self.bytesMax = bytesMax
        framer = LineCutter(bytesMax: bytesMax + 16)
    }

    mutating func push(_ bytes: some Collection<UInt8>, into events: inout [[UInt8]]) throws(LineFramer.TooLong) {
        for byte in bytes {
            guard let line = try framer.push(byte) else { continue }
            try take(line, into: &events)
        }
    }

    private mutating func take(_ line: [UInt8], into events: inout [[UInt8]]) throws(LineFramer.TooLong) {
        guard !line.isEmpty else {
            if let data, !data.isEmpty { events.append(data) }
            data = nil
            return
        }
        guard line.starts(with: "data".utf8) else { return }
        var value = line.dropFirst(4)
        guard value.isEmpty || value.first == UInt8(ascii: ":") else { return }
        value = value.dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        guard (data?.count ?? 0) + value.count < bytesMax else { throw LineFramer.TooLong() }
        data = data.map { $0 + [UInt8(ascii: "\n")] + value } ?? Array(value)
    }

    /// Lines that end in a line feed, a carriage return, or both; empty ones too.
    private struct LineCutter: Sendable {
        let bytesMax: Int
        var line: [UInt8] = []
        var endedInReturn = false

        init(bytesMax: Int) { self.bytesMax = bytesMax }

        mutating func push(_ byte: UInt8) throws(LineFramer.TooLong) -> [UInt8]? {
            let follows = endedInReturn
            endedInReturn = byte == UInt8(ascii: "\r")
            if follows, byte == UInt8(ascii: "\n") { return nil }
            guard byte == UInt8(ascii: "\n") || endedInReturn else {
                guard line.count < bytesMax else { throw LineFramer.TooLong() }
                line.append(byte)
                return nil
            }
            defer { line.removeAll(keepingCapacity: true) }
            return line
        }
    }
}
