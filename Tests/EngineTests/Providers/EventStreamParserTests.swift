import EventStream
import Testing

@Suite("Server-sent events, as they are read (pure)")
struct EventStreamParserTests {
    private func parse(_ pieces: [[UInt8]], lineMax: Int = 1 << 20, eventMax: Int = 1 << 20) throws -> [ServerSentEvent] {
        var parser = EventStreamParser(lineBytesMax: lineMax, eventBytesMax: eventMax)
        var events: [ServerSentEvent] = []
        for piece in pieces { try piece.withUnsafeBytes { try parser.push($0, into: &events) } }
        return events
    }

    private func data(_ text: String) -> ServerSentEvent { ServerSentEvent(name: nil, data: Array(text.utf8), id: nil) }

    private static let sample =
        "\u{FEFF}: comment\r\ndata: one\r\rdata:two\ndata: lines\n\nevent: error\ndata: {\"a\":1}\r\n\r\nid: 7\n"
        + "data\n\nretry: 5\nunknown: x\n\ndata: é\u{1F600}\n\nevent: lost\ndata: never dispatched"

    private var expected: [ServerSentEvent] {
        [
            data("one"), data("two\nlines"), ServerSentEvent(name: "error", data: Array("{\"a\":1}".utf8), id: nil),
            ServerSentEvent(name: nil, data: [], id: "7"),
            ServerSentEvent(name: nil, data: Array("é\u{1F600}".utf8), id: "7"),
        ]
    }

    @Test("every split into two gives the same events, and byte by byte too")
    func everySplit() throws {
        let bytes = Array(Self.sample.utf8)
        #expect(try parse([bytes]) == expected)
        #expect(try parse(bytes.map { [$0] }) == expected)
        for index in bytes.indices { #expect(try parse([Array(bytes[..<index]), Array(bytes[index...])]) == expected) }
    }

    @Test("any split into many gives the same events")
    func anySplit() async throws {
        let bytes = Array(Self.sample.utf8)
        try await forSeeds(0..<300) { seed, generator in
            var pieces: [[UInt8]] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 0...9, using: &generator)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let events = try parse(pieces)
            #expect(events == expected, "seed \(seed)")
        }
    }

    @Test("a byte order mark is taken off the first line only")
    func byteOrderMark() throws {
        #expect(try parse([Array("data: a\n\n\u{FEFF}data: b\n\n".utf8)]) == [data("a")])
    }

    @Test("a line at its limit passes, one byte more does not")
    func lineLimit() throws {
        #expect(try parse([Array("data: 1234\n\n".utf8)], lineMax: 10) == [data("1234")])
        #expect(throws: EventStreamError.lineTooLong) { try parse([Array("data: 12345".utf8)], lineMax: 10) }
        #expect(throws: EventStreamError.lineTooLong) {
            try parse(Array("data: 12345\n".utf8).map { [$0] }, lineMax: 10)
        }
    }

    @Test("an event of many lines is bounded as well")
    func eventLimit() throws {
        let line = Array("data: 123456789\n".utf8)
        #expect(throws: EventStreamError.eventTooLong) { try parse(Array(repeating: line, count: 20), eventMax: 100) }
    }
}
