import Testing

@testable import Traces

@Suite("W3C Trace Context")
struct TraceContextTests {
    private static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("is read and written as it is")
    func roundTrip() throws {
        let context = try #require(TraceContext(traceparent: Self.example, state: "vendor=1,other=2"))
        #expect(context.traceparent == Self.example && context.isSampled)
        #expect(context.headers.map(\.value) == [Self.example, "vendor=1,other=2"])
        let unsampled = try #require(TraceContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02"))
        #expect(!unsampled.isSampled && unsampled.traceparent.hasSuffix("-00") && unsampled.headers.count == 1)
        let later = try #require(TraceContext(traceparent: "01" + Self.example.dropFirst(2) + "-more"))
        #expect(later.traceparent == Self.example)
    }

    @Test(
        "takes nothing else",
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more", "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ])
    func malformed(text: String) { #expect(TraceContext(traceparent: text) == nil) }

    @Test("drops a state that is too long or no header")
    func state() throws {
        for state in [String(repeating: "a", count: 513), "a=1\r\nx: y", "é=1"] {
            #expect(try #require(TraceContext(traceparent: Self.example, state: state)).state.isEmpty)
        }
    }
}
