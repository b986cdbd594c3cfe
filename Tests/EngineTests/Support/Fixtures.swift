import Engine
import EngineProviders
import JSON
import Synchronization

@testable import Engine

let ann = Tenant(org: "o", project: "p", user: "ann", key: "k1")
let bob = Tenant(org: "o", project: "p", user: "bob", key: "k2")

/// One model under any of its names.
struct TestCatalog: ModelCatalog {
    let provider: any ModelProvider

    func provider(for model: String) -> (any ModelProvider)? { model == "demo" ? provider : nil }
}

/// Several models with their settings.
struct SeveralModels: ModelCatalog {
    var providers: [String: any ModelProvider]
    var meterings: [String: ModelMetering] = [:]
    var policies: [String: RetryPolicy] = [:]

    func provider(for model: String) -> (any ModelProvider)? { providers[model] }
    func metering(for model: String) -> ModelMetering { meterings[model] ?? ModelMetering() }
    func retries(for model: String) -> RetryPolicy { policies[model] ?? RetryPolicy() }
}

/// A provider whose streams a test writes.
struct TestProvider: ModelProvider {
    var countsAreExact = true
    let makeStream: @Sendable (ModelRequest) -> any ModelStream

    func promptTokens(_ request: ModelRequest) -> PromptCount { .exact(7) }
    func stream(_ request: ModelRequest) -> any ModelStream { makeStream(request) }
}

/// Plays events; may end in a failure, or in silence until it is cancelled.
final class PlayedStream: ModelStream {
    enum End: Sendable {
        case finish, fail(ProviderError), silence
    }

    private var events: ArraySlice<ModelEvent>
    private let end: End
    private let yields: Int
    private let onClose: @Sendable () -> Void
    private var isOver = false
    let arrivedAt: Int64?

    init(
        _ events: [ModelEvent], end: End, yields: Int = 0, arrivedAt: Int64? = nil, onClose: @escaping @Sendable () -> Void = {}
    ) {
        self.arrivedAt = arrivedAt
        self.events = events[...]
        self.end = end
        self.yields = yields
        self.onClose = onClose
    }

    func next() async throws(ProviderError) -> ModelEvent? {
        for _ in 0..<yields { await Task.yield() }
        if Task.isCancelled { throw .cancelled }
        if let event = events.popFirst() { return event }
        guard !isOver else { return nil }
        isOver = true
        switch end {
        case .finish: return .finished(reason: "stop")
        case .fail(let error): throw error
        case .silence:
            let (stream, _) = AsyncStream.makeStream(of: Void.self)
            for await _ in stream {}
            throw .cancelled
        }
    }

    func close() { onClose() }
}

func coordinator(
    _ meter: TestMeter, _ provider: any ModelProvider = ScriptedProvider(),
    conversations: any ConversationStore = MemoryConversationStore(), clock: any EngineClock = SystemEngineClock(),
    metrics: any EngineMetrics = NoEngineMetrics(), limits: EngineLimits = EngineLimits(), tools: (any ToolGate)? = nil
) -> RunCoordinator {
    RunCoordinator(
        meter: meter, models: TestCatalog(provider: provider), conversations: conversations, tools: tools, clock: clock,
        metrics: metrics, limits: limits)
}

func request(_ text: String, conversation: ConversationID? = nil, of tenant: Tenant = ann) -> RunRequest {
    RunRequest(
        tenant: tenant, model: "demo", input: .message(text: text, system: nil), conversation: conversation)
}

extension StartOutcome {
    var handle: RunHandle? {
        guard case .started(let handle) = self else { return nil }
        return handle
    }
}

extension RunLog {
    /// Every event of the run once it has ended, each delta on its own.
    func all() async -> [LogEntry] {
        for await _ in batches(after: 0) {}
        var entries: [LogEntry] = []
        while let entry = read(after: entries.last?.seq ?? 0, maxBytes: 1).first { entries.append(entry) }
        return entries
    }
}

extension Sequence<LogEntry> {
    var text: String { compactMap { $0.body.delta?.text }.joined() }
    var terminals: [RunEventBody] { map(\.body).filter { $0.outcome != nil } }
}

extension RunEventBody {
    var delta: RunDelta? {
        guard case .delta(let delta) = self else { return nil }
        return delta
    }
}

/// Runs `body` for each seed; a failing expectation names the seed.
func forSeeds(_ seeds: Range<UInt64>, _ body: (UInt64, inout SeededGenerator) async throws -> Void) async rethrows {
    for seed in seeds {
        var generator = SeededGenerator(seed: seed)
        try await body(seed, &generator)
    }
}
