import NIOCore
import Testing

@testable import TransportWire

@Suite("Event streams")
struct ServerSentEventTests {
    private func encode(_ event: ServerSentEvent) -> String {
        var output = ByteBuffer()
        event.encode(into: &output)
        return output.text
    }

    @Test("type, id and data each have their line and a blank line dispatches")
    func full() throws {
        let event = try ServerSentEvent(event: "delta", id: "17", data: ByteBuffer(#"{"text":"é"}"#))
        #expect(encode(event) == "event: delta\nid: 17\ndata: {\"text\":\"é\"}\n\n")
        #expect(encode(try ServerSentEvent(data: ByteBuffer())) == "data: \n\n")
    }

    @Test(
        "every kind of line break in the data begins another data line",
        arguments: [
            ("a\nb", "data: a\ndata: b\n\n"), ("a\r\nb", "data: a\ndata: b\n\n"), ("a\rb", "data: a\ndata: b\n\n"),
            ("a\n\nb", "data: a\ndata: \ndata: b\n\n"), ("a\n", "data: a\ndata: \n\n"), ("\n", "data: \ndata: \n\n"),
            ("\r\r\n", "data: \ndata: \ndata: \n\n"),
            (" a", "data:  a\n\n"), ("event: x\nid: 9", "data: event: x\ndata: id: 9\n\n"),
        ])
    func lineBreaks(data: String, expected: String) throws {
        #expect(encode(try ServerSentEvent(data: ByteBuffer(data))) == expected)
    }

    @Test("a type or an id cannot smuggle a line", arguments: ["a\nb", "a\rb", "a\r\n", "a\u{0}"])
    func fields(text: String) {
        #expect(throws: WireError.invalidEventField) { try ServerSentEvent(event: text, data: ByteBuffer()) }
        #expect(throws: WireError.invalidEventField) { try ServerSentEvent(id: text, data: ByteBuffer()) }
    }

    @Test("comments and the retry delay are appended to what is there")
    func commentAndRetry() {
        var output = ByteBuffer()
        ServerSentEvent.retry(milliseconds: 1_500, into: &output)
        ServerSentEvent.comment("keep\nalive", into: &output)
        #expect(output.text == "retry: 1500\n\n: keep\n: alive\n\n")
    }
}
