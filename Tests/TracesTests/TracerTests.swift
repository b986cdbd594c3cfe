import JSON
import Synchronization
import Testing

@testable import Traces

/// A queue, and how many it has lost.
private final class Losses: Sendable {
    private let lost = Mutex(0)
    var count: Int { lost.withLock { $0 } }
    func add(_ more: Int) { lost.withLock { $0 += more } }
}

@Suite("Spans, from their beginning to the collector")
struct TracerTests {
    private let losses = Losses()

    private func queue(_ most: Int = 100) -> SpanQueue {
        SpanQueue(most: most) { [losses] in losses.add($0) }
    }

    private static let sampled = TraceContext(traceHigh: 1, traceLow: 2, spanID: 3, isSampled: true, state: "v=1")
    private static let unsampled = TraceContext(traceHigh: 1, traceLow: 2, spanID: 3, isSampled: false)

    @Test("A caller's trace follows the caller; one that begins here follows the share")
    func sampling() {
        let all = Tracer(share: 1, queue: queue())
        #expect(all.begin("a", .server, parent: nil) != nil && all.begin("a", .server, parent: Self.unsampled) == nil)
        let none = Tracer(share: 0, queue: queue())
        #expect(none.begin("a", .server, parent: nil) == nil && none.begin("a", .server, parent: Self.sampled) == nil)
        let quarter = Tracer(share: 0.25, queue: queue())
        let found = (0..<4_000).count { _ in quarter.begin("a", .server, parent: nil) != nil }
        // Six standard deviations on each side.
        #expect((836...1_164).contains(found))
        #expect(quarter.begin("a", .server, parent: Self.sampled)?.context.state == "v=1")
    }

    @Test("A span is sent once, with what it was told before its end")
    func span() throws {
        let queue = queue()
        let clock = Mutex<Int64>(1_000)
        let tracer = Tracer(share: 1, queue: queue) {
            clock.withLock { time in
                time += 1
                return time
            }
        }
        let root = try #require(tracer.begin("invoke_agent", .server, parent: Self.sampled))
        let child = root.child("chat m", .client)
        child.set("gen_ai.usage.output_tokens", .integer(7))
        child.set("gen_ai.usage.output_tokens", .integer(8))
        child.set("gen_ai.response.finish_reasons", .texts(["stop"]))
        child.set("nothing", String?.none)
        child.note("kdcube.cut", [("kdcube.cut.reason", .text("killed"))])
        child.fail("timeout")
        child.end()
        child.set("late", .flag(true))
        child.end()
        root.end()
        #expect(queue.count == 2)
        let body = OTLPEncoder(resource: [("service.name", .text("kdcube"))], version: "1").body(queue.take(10))
        let sent = try JSONValue(parsing: body)
        let resource = try #require(sent["resourceSpans"]?.arrayValue?.first)
        #expect(resource["resource"] == ["attributes": [["key": "service.name", "value": ["stringValue": "kdcube"]]]])
        let spans = try #require(resource["scopeSpans"]?.arrayValue?.first?["spans"]?.arrayValue)
        let (first, second) = (spans[0], spans[1])
        #expect(first["traceId"] == "00000000000000010000000000000002" && first["traceState"] == "v=1")
        #expect(first["parentSpanId"] == second["spanId"] && second["parentSpanId"] == "0000000000000003")
        #expect(first["kind"] == 3 && second["kind"] == 2 && second["status"] == nil)
        #expect(first["startTimeUnixNano"] == "1002" && first["endTimeUnixNano"] == "1004")
        #expect(first["status"] == ["code": 2, "message": "timeout"])
        #expect(
            first["attributes"] == [
                ["key": "gen_ai.usage.output_tokens", "value": ["intValue": "8"]],
                ["key": "gen_ai.response.finish_reasons", "value": ["arrayValue": ["values": [["stringValue": "stop"]]]]],
                ["key": "error.type", "value": ["stringValue": "timeout"]],
            ])
        #expect(first["events"]?.arrayValue?.first?["name"] == "kdcube.cut")
    }

    @Test("Texts, attributes and events are bounded, on whole characters")
    func bounds() throws {
        let queue = queue()
        let span = try #require(Tracer(share: 1, queue: queue).begin(String(repeating: "é", count: 200), .work, parent: nil))
        for number in 0..<100 { span.set("a\(number)", .text(String(repeating: "x", count: 1_000))) }
        for _ in 0..<100 { span.note("e") }
        span.end()
        let record = try #require(queue.take(1).first)
        #expect(record.name.utf8.count == 256 && record.attributes.count == 48 && record.events.count == 32)
        #expect(record.attributes.allSatisfy { $0.value == .text(String(repeating: "x", count: 256)) })
    }

    @Test("What has no room is dropped and counted, and nobody waits")
    func overflow() {
        let queue = queue(3)
        let tracer = Tracer(share: 1, queue: queue)
        for _ in 0..<5 { tracer.begin("a", .work, parent: nil)?.end() }
        #expect(queue.count == 3 && losses.count == 2)
        let taken = queue.take(2)
        tracer.begin("a", .work, parent: nil)?.end()
        queue.giveBack(taken)
        #expect(queue.count == 3 && losses.count == 3)
    }

    /// Answers in turn, and ends the exporter when there are no more, or after many pauses.
    private func export(_ replies: [SpanExporter.Reply], spans: Int = 1) async -> (sent: Int, news: [SpanExporter.News], pauses: [Duration])
    {
        let queue = queue()
        let tracer = Tracer(share: 1, queue: queue)
        for _ in 0..<spans { tracer.begin("a", .work, parent: nil)?.end() }
        let sent = Losses()
        let news = Mutex<[SpanExporter.News]>([])
        let pauses = Mutex<[Duration]>([])
        let script = Mutex(replies[...])
        let exporter = SpanExporter(
            queue: queue, encoder: OTLPEncoder(resource: [], version: "1"),
            send: { _ in
                sent.add(1)
                return script.withLock { $0.popFirst() } ?? .refused
            },
            sleep: { pause in
                let count = pauses.withLock { pauses in
                    pauses.append(pause)
                    return pauses.count
                }
                if script.withLock({ $0.isEmpty }) || count == 40 { withUnsafeCurrentTask { $0?.cancel() } }
            },
            news: { one in news.withLock { $0.append(one) } })
        await Task { await exporter.run() }.value
        return (sent.count, news.withLock { $0 }, pauses.withLock { $0 })
    }

    @Test("A batch is sent again until it is taken, more and more slowly")
    func again() async {
        let course = await export([.later(after: nil), .later(after: .seconds(7)), .later(after: .seconds(900)), .taken(rejected: 0)])
        #expect(course.sent == 4 && course.news == [.unreachable, .taken] && losses.count == 0)
        // The first and the last are the interval between batches.
        #expect(course.pauses.count == 5 && course.pauses[2] == .seconds(7) && course.pauses[3] == .seconds(30))
    }

    @Test("A batch that is refused, or not taken for minutes, is dropped and counted")
    func givenUp() async {
        let refused = await export([.refused], spans: 3)
        #expect(refused.sent == 1 && refused.news == [.refused] && losses.count == 3)
        let away = await export(Array(repeating: .later(after: nil), count: 30), spans: 2)
        #expect(losses.count == 5 && away.news == [.unreachable] && away.sent < 30)
    }

    @Test("Answers mean what OTLP says")
    func replies() {
        let partial = Array(#"{"partialSuccess":{"rejectedSpans":"3"}}"#.utf8)
        #expect(SpanExporter.Reply(status: 200, retryAfter: nil, body: []) == .taken(rejected: 0))
        #expect(SpanExporter.Reply(status: 200, retryAfter: nil, body: partial) == .taken(rejected: 3))
        #expect(SpanExporter.Reply(status: 429, retryAfter: 5, body: []) == .later(after: .seconds(5)))
        #expect(SpanExporter.Reply(status: 503, retryAfter: nil, body: []) == .later(after: nil))
        #expect(SpanExporter.Reply(status: 400, retryAfter: nil, body: []) == .refused)
        #expect(SpanExporter.Reply(status: 404, retryAfter: 3, body: []) == .refused)
    }
}
