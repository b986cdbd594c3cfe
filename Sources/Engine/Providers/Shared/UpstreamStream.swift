internal import AsyncHTTPClient
internal import Engine
internal import EventStream
internal import NIOCore
internal import NIOHTTP1
internal import Traces

/// One answer of an upstream, whatever its dialect.
///
/// A reader task below it owns the connection, so that ``close()`` can end the connection at any moment and a timeout
/// can tell why it did. Confined to the task that asks.
final class UpstreamStream: ModelStream {
    private let call: UpstreamCall
    private let handoff = Handoff()
    private var reader: Task<Void, Never>?
    private var batch: ArraySlice<ModelEvent> = []
    private(set) var arrivedAt: Int64?
    private var isOver = false
    /// The answer came to its end: the reader lets the body end too, within ``CallWatch``'s moment, so that the
    /// connection can be used again.
    private var isComplete = false

    init(_ call: UpstreamCall) { self.call = call }

    deinit { close() }

    func close() {
        isOver = true
        handoff.close()
        // Cancelling the reader makes the HTTP client close the connection.
        if !isComplete { reader?.cancel() }
    }

    func next() async throws(ProviderError) -> ModelEvent? {
        while true {
            if let event = batch.popFirst() { return event }
            guard !isOver else { return nil }
            let reader = startedReader()
            let handoff = handoff
            let received = await withTaskCancellationHandler {
                await handoff.receive()
            } onCancel: {
                handoff.close()
                reader.cancel()
            }
            switch received {
            case .batch(let received):
                batch = received.events[...]
                arrivedAt = received.arrivedAt
            case .end(.success(let reason)):
                isOver = true
                isComplete = true
                return .finished(reason: reason)
            case .end(.failure(let error)):
                isOver = true
                throw error
            }
        }
    }

    private func startedReader() -> Task<Void, Never> {
        if let reader { return reader }
        let (call, handoff) = (call, handoff)
        let started = Task { await call.run(into: handoff) }
        reader = started
        return started
    }
}

/// Executes one HTTP call and hands its events over.
struct UpstreamCall: Sendable {
    /// How much of an error's body is read: enough for its message.
    private static let errorBodyMax = 64 << 10

    let client: HTTPClient
    let request: HTTPClientRequest
    let timeouts: UpstreamTimeouts
    let clock: any EngineClock
    let calibration: UsageCalibration
    /// Reads the dialect; made anew for each answer.
    let makeParser: @Sendable () -> any AnswerParser
    /// Our own count of the prompt, before it was scaled.
    let promptEstimate: Int
    /// Never shown, should the upstream repeat it.
    let secret: String?
    /// False: the answer comes as one object.
    let isStreamed: Bool

    /// Reads to the end, or to the first deadline. Cancellation closes the connection.
    func run(into handoff: Handoff) async {
        let watch = CallWatch(timeouts, clock)
        await withTaskGroup(of: Handoff.End?.self) { group in
            group.addTask { await watch.expire() }
            group.addTask { await self.read(watch, handoff) }
            let end = await group.next() ?? nil
            handoff.finish(redacted(end ?? .failure(.cancelled)))
            group.cancelAll()
        }
    }

    private func read(_ watch: CallWatch, _ handoff: Handoff) async -> Handoff.End? {
        var hasBegun = false
        do {
            var request = request
            for header in TraceContext.current?.headers ?? [] { request.headers.add(name: header.name, value: header.value) }
            let response = try await client.execute(request, deadline: .now() + .nanoseconds(timeouts.call.wholeNanoseconds))
            guard response.status.code == 200 else { return .failure(await refusal(response)) }
            guard isStreamed else { return await readWhole(response, watch, handoff) }
            var parser = EventStreamParser()
            var chunks = makeParser()
            var received: [ServerSentEvent] = []
            var hasLearned = false
            var untold = Span.current
            for try await buffer in response.body {
                hasBegun = true
                let arrivedAt = clock.nowNanoseconds
                watch.enter(.paused)
                received.removeAll(keepingCapacity: true)
                try buffer.withUnsafeReadableBytes { try parser.push($0, into: &received) }
                var events: [ModelEvent] = []
                var failure: ProviderError?
                do {
                    for event in received { try chunks.accept(event, into: &events) }
                    if let span = untold, let model = chunks.model {
                        span.set("gen_ai.response.model", .text(model))
                        untold = nil
                    }
                } catch {
                    // What came before the bad chunk is still good.
                    failure = error
                }
                if !events.isEmpty, await !handoff.send(Handoff.Batch(events: events, arrivedAt: arrivedAt)) { return .failure(.cancelled) }
                if let failure { return .failure(failure) }
                // Before the run can end, so that the next one knows.
                if chunks.isDone, !hasLearned {
                    hasLearned = true
                    calibration.learn(output: chunks.outputSample, prompt: chunks.promptSample(estimate: promptEstimate))
                }
                if chunks.isDone { handoff.finish(.success(chunks.finishReason ?? "stop")) }
                watch.enter(chunks.isDone ? .trailer : .idle)
            }
            if Task.isCancelled { return .failure(.cancelled) }
            guard let reason = chunks.finishReason ?? (chunks.isDone ? "stop" : nil) else {
                return .failure(UpstreamFailure.dropped)
            }
            return .success(reason)
        } catch let error as EventStreamError {
            return .failure(UpstreamFailure.malformed("the upstream sent an event that is too long (\(error))"))
        } catch {
            return .failure(Task.isCancelled ? .cancelled : UpstreamFailure.transport(error, hasBegun: hasBegun))
        }
    }

    private func refusal(_ response: HTTPClientResponse) async -> ProviderError {
        var body: [UInt8] = []
        do {
            for try await buffer in response.body {
                body.append(contentsOf: buffer.readableBytesView.prefix(Self.errorBodyMax - body.count))
                if body.count >= Self.errorBodyMax { break }
            }
        } catch {
            // The status says enough; a body that breaks off is no body.
            body = []
        }
        return UpstreamFailure.status(Int(response.status.code), body: body, retryAfter: RetryAfter.duration(response.headers))
    }

    /// Some upstreams repeat the key in their error.
    private func redacted(_ end: Handoff.End) -> Handoff.End {
        guard case .failure(let error) = end, let secret, !secret.isEmpty, error.message.contains(secret) else { return end }
        let message = error.message.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "***")
        return .failure(
            ProviderError(
                error.kind, message: message, isRetryable: error.isRetryable, mayBeBilled: error.mayBeBilled,
                retryAfter: error.retryAfter))
    }
}
