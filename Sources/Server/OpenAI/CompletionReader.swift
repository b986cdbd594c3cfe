internal import Engine
internal import Hummingbird
internal import JSON
internal import NIOCore

/// Reads a run's log for one client of another API's dialect. While it lives the run has a reader; a run that stops without
/// readers ends when the client has gone.
struct CompletionReader: Sendable {
    let handle: RunHandle
    /// Held from the start to the end: between two looks into the log somebody still listens.
    private let seat: RunLog.Subscription?

    init(_ handle: RunHandle) {
        self.handle = handle
        seat = handle.log.subscribe {}
    }

    /// What was read before the first token or the end, and where to read on.
    struct Opening: Sendable {
        var entries: [LogEntry] = []
        var position = 0
    }

    /// Waits for the first token.
    ///
    /// - Throws: 502 when the upstream failed without giving one.
    func opening() async throws -> Opening {
        // Sealed thinking may come before: whoever has a place for it needs it with the rest.
        var seals: [LogEntry] = []
        for await batch in handle.log.batches(after: 0) {
            guard let last = batch.last else { continue }
            for entry in batch {
                if case .error(let code, let message, _) = entry.body { throw HTTPFailure(runError: code, message) }
            }
            let answered = batch.contains { $0.body.isAnswer || $0.body.outcome != nil }
            if answered { return Opening(entries: seals + batch, position: last.seq) }
            seals += batch.filter(\.body.isSeal)
        }
        throw CancellationError()
    }

    /// Writes the whole stream, to its last event.
    @concurrent func write<Stream: AnswerStream>(
        _ opening: Opening, with stream: inout Stream, to writer: inout any ResponseBodyWriter
    ) async throws {
        defer { seat?.cancel() }
        try await writer.write(ByteBuffer(bytes: stream.opening() + stream.bytes(for: opening.entries)))
        for await batch in handle.log.batches(after: opening.position) {
            let bytes = stream.bytes(for: batch)
            if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
        }
    }

    /// The answer as one object, once the run has ended.
    func whole(_ opening: Opening) async throws -> CompletionAnswer {
        var answer = CompletionAnswer(
            id: handle.completionID, run: handle.identity.run, created: handle.startedAt / 1_000, model: handle.model)
        try await readToEnd(opening) { answer.add($0.body) }
        return answer
    }

    /// Hands over every event, those of the opening first, until after the one that ends the run.
    ///
    /// - Throws: 410 when the log no longer has all of them: nobody takes a part for the whole.
    func readToEnd(_ opening: Opening, _ take: (LogEntry) -> Void) async throws {
        defer { seat?.cancel() }
        var hasGap = false
        for entry in opening.entries { take(entry) }
        for await batch in handle.log.batches(after: opening.position) {
            for entry in batch {
                if case .gap = entry.body { hasGap = true }
                take(entry)
            }
        }
        guard let outcome = handle.outcome else { throw CancellationError() }
        guard !hasGap || outcome == .error else {
            throw HTTPFailure(.gone, code: "events_lost", message: "The beginning of this answer is no longer kept.")
        }
    }
}

/// An answer in another API's dialect as it is streamed. Pure: entries of the run's log in, bytes out.
protocol AnswerStream: Sendable {
    /// What comes before the first entry.
    mutating func opening() -> [UInt8]
    mutating func bytes(for entries: [LogEntry]) -> [UInt8]
}

extension RunEventBody {
    fileprivate var isSeal: Bool {
        if case .step(let step) = self { step.step == ThinkingSeal.step } else { false }
    }

    /// Something that a chat completion has a place for.
    var isAnswer: Bool {
        switch self {
        case .delta: true
        case .step(let step): step.toolCallOpening != nil
        default: false
        }
    }
}

extension HTTPFailure {
    /// A run's `chat.error` as the answer of a whole request.
    init(runError code: String, _ message: String) {
        let isUpstream = code == ProviderError.code
        self.init(
            isUpstream ? .badGateway : .serviceUnavailable, code: code, type: isUpstream ? "upstream_error" : "server_error",
            message: message,
            headers: isUpstream ? [:] : [.retryAfter: "1"])
    }
}
