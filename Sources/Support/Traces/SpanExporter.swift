internal import JSON

/// Sends spans to a collector in batches, and again when one is not taken. Nothing waits for it but the process's end.
public struct SpanExporter: Sendable {
    /// What a collector has answered.
    public enum Reply: Sendable, Hashable {
        /// - Parameter rejected: spans of the batch that it did not take, and never will.
        case taken(rejected: Int)
        /// It may take the batch later.
        ///
        /// - Parameter after: what it asks for.
        case later(after: Duration?)
        /// It will never take this batch.
        case refused
    }

    /// What becomes known; each is told once a change.
    public enum News: Sendable, Hashable {
        case unreachable, refused, taken
    }

    private let queue: SpanQueue
    private let encoder: OTLPEncoder
    private let send: @Sendable ([UInt8]) async -> Reply
    private let sleep: @Sendable (Duration) async -> Void
    private let news: @Sendable (News) -> Void

    /// - Parameters:
    ///   - send: posts one request body; has a deadline of its own.
    ///   - sleep: returns early when the task is cancelled.
    public init(
        queue: SpanQueue, encoder: OTLPEncoder, send: @escaping @Sendable ([UInt8]) async -> Reply,
        sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) },
        news: @escaping @Sendable (News) -> Void
    ) {
        self.queue = queue
        self.encoder = encoder
        self.send = send
        self.sleep = sleep
        self.news = news
    }

    /// Until the task is cancelled.
    public func run() async {
        var last: News?
        while !Task.isCancelled {
            await sleep(TraceLimits.interval)
            while !Task.isCancelled {
                let batch = queue.take(TraceLimits.batch)
                guard !batch.isEmpty else { break }
                await deliver(batch, &last)
            }
        }
    }

    /// What is left at the end, without waiting for a collector that is away.
    public func flush() async {
        for _ in 0..<TraceLimits.lastBatches {
            let batch = queue.take(TraceLimits.batch)
            guard !batch.isEmpty else { return }
            guard case .taken(let rejected) = await send(encoder.body(batch)) else {
                queue.lose(batch.count)
                break
            }
            queue.lose(rejected)
        }
        queue.lose(queue.take(.max).count)
    }

    private func deliver(_ batch: [SpanRecord], _ last: inout News?) async {
        let body = encoder.body(batch)
        var (pause, spent) = (TraceLimits.firstPause, Duration.zero)
        while true {
            switch await send(body) {
            case .taken(let rejected):
                queue.lose(rejected)
                return tell(.taken, &last)
            case .refused:
                queue.lose(batch.count)
                return tell(.refused, &last)
            case .later(let asked):
                // A request that the end of the process has cancelled says nothing of the collector.
                if Task.isCancelled { return queue.giveBack(batch) }
                tell(.unreachable, &last)
                let wait = min(asked ?? Self.jittered(pause), TraceLimits.longestPause)
                guard spent + wait <= TraceLimits.patience else { return queue.lose(batch.count) }
                await sleep(wait)
                if Task.isCancelled { return queue.giveBack(batch) }
                spent += wait
                pause = min(pause * 2, TraceLimits.longestPause)
            }
        }
    }

    /// Servers that lost their collector together do not come back together.
    private static func jittered(_ pause: Duration) -> Duration { pause * Int.random(in: 75...125) / 100 }

    private func tell(_ one: News, _ last: inout News?) {
        guard last != one, last != nil || one != .taken else { return }
        last = one
        news(one)
    }
}

extension SpanExporter.Reply {
    /// What an OTLP/HTTP answer means (OTLP specification, *OTLP/HTTP Response*).
    ///
    /// - Parameters:
    ///   - retryAfter: seconds of the header, where it has some.
    ///   - body: at least its beginning.
    public init(status: Int, retryAfter: Int?, body: [UInt8]) {
        switch status {
        case 200..<300:
            let rejected = (try? JSONValue(parsing: body))?["partialSuccess"]?["rejectedSpans"]
            let count = rejected?.integerValue.map(Int.init) ?? (rejected?.stringValue).flatMap { Int($0) } ?? 0
            self = .taken(rejected: max(0, count))
        case 429, 500..<600: self = .later(after: retryAfter.map { .seconds(max(1, $0)) })
        default: self = .refused
        }
    }
}
