internal import ArgumentParser
internal import AsyncHTTPClient
internal import Foundation
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Telemetry
internal import Traces

/// Traces of a server process: who makes them, and who sends them to the operator's collector. An outage of the collector touches nothing but
/// the number of spans that are lost.
struct TraceExport: Sendable {
    /// One request, its answer included.
    private static let patience = TimeAmount.seconds(10)
    private static let answerBytesMax = 64 << 10

    let tracer: Tracer
    private let exporter: SpanExporter
    private let queue: SpanQueue
    private let waiting: Metric

    /// - Returns: nil where the settings name no collector.
    init?(_ settings: Configuration.Telemetry, node: String, client: HTTPClient, registry: MetricRegistry, logger: Logger) {
        guard !settings.otlp.isEmpty else { return nil }
        let dropped = registry.counter(
            "kdcube_trace_spans_dropped_total", "Spans that were not sent: the collector was away for too long, or refused them")
        waiting = registry.gauge("kdcube_trace_spans_waiting", "Spans that wait for the collector")
        queue = SpanQueue(most: settings.queue) { dropped.add(Int64($0)) }
        tracer = Tracer(share: settings.sample, queue: queue)
        let encoder = OTLPEncoder(
            resource: [
                ("service.name", .text(settings.service)), ("service.version", .text(KDCube.configuration.version)),
                ("service.instance.id", .text(node)), ("telemetry.sdk.name", .text("kdcube")), ("telemetry.sdk.language", .text("swift")),
                ("telemetry.sdk.version", .text(KDCube.configuration.version)),
            ], version: KDCube.configuration.version)
        let (url, headers) = (settings.tracesURL, settings.headers)
        exporter = SpanExporter(queue: queue, encoder: encoder) { body in
            await Self.post(body, to: url, headers, client)
        } news: { news in
            switch news {
            case .unreachable: logger.warning("the collector of traces does not answer; runs go on", metadata: ["url": "\(url)"])
            case .refused: logger.warning("the collector refuses our traces; they are dropped", metadata: ["url": "\(url)"])
            case .taken: logger.notice("the collector takes traces again")
            }
        }
    }

    /// Until the task is cancelled.
    func run() async { await exporter.run() }

    /// The last spans, before the process ends.
    func flush() async { await exporter.flush() }

    /// Before the metrics are read.
    func measure() { waiting.set(Int64(queue.count)) }

    private static func post(_ body: [UInt8], to url: String, _ headers: [String: String], _ client: HTTPClient) async -> SpanExporter.Reply
    {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.headers.replaceOrAdd(name: "content-type", value: "application/json")
        request.headers.replaceOrAdd(name: "user-agent", value: "kdcube/\(KDCube.configuration.version)")
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await client.execute(request, timeout: patience)
            let answer = try await response.body.collect(upTo: answerBytesMax)
            return SpanExporter.Reply(
                status: Int(response.status.code), retryAfter: response.headers.first(name: "retry-after").flatMap { Int($0) },
                body: Array(answer.readableBytesView))
        } catch {
            return .later(after: nil)
        }
    }
}
