internal import AsyncHTTPClient
internal import Engine
internal import JSON
internal import NIOCore
internal import Traces

/// An answer that comes as one object, for upstreams that cannot stream.
extension UpstreamCall {
    /// The largest answer: the text that a run may have, escaped, and what is around it.
    private static let answerBytesMax = 24 << 20

    func readWhole(_ response: HTTPClientResponse, _ watch: CallWatch, _ handoff: Handoff) async -> Handoff.End {
        var body: [UInt8] = []
        do {
            for try await buffer in response.body {
                watch.enter(.idle)
                body.append(contentsOf: buffer.readableBytesView)
                guard body.count <= Self.answerBytesMax else {
                    return .failure(UpstreamFailure.malformed("the upstream's answer is too long"))
                }
            }
        } catch {
            return .failure(Task.isCancelled ? .cancelled : UpstreamFailure.transport(error, hasBegun: true))
        }
        if Task.isCancelled { return .failure(.cancelled) }
        var parser = makeParser()
        var events: [ModelEvent] = []
        do {
            try parser.accept(whole: body, into: &events)
        } catch {
            return .failure(error)
        }
        if let model = parser.model { Span.current?.set("gen_ai.response.model", .text(model)) }
        watch.enter(.paused)
        if !events.isEmpty, await !handoff.send(Handoff.Batch(events: events, arrivedAt: clock.nowNanoseconds)) {
            return .failure(.cancelled)
        }
        return .success(parser.finishReason ?? "stop")
    }
}
