/// A model that answers a request with a stream of events.
public protocol ModelProvider: Sendable {
    /// Whether ``ModelDelta/tokens`` are the tokens that the upstream bills, or an estimate of them.
    var countsAreExact: Bool { get }

    /// What the prompt costs before anything is sent. Pure.
    func promptTokens(_ request: ModelRequest) -> PromptCount

    /// Prepares a call. Nothing is sent before the first ``ModelStream/next()``.
    func stream(_ request: ModelRequest) -> any ModelStream
}

/// One answer on its way. Pull-based: while nobody asks, the upstream is not read beyond a bounded buffer.
///
/// Confined to the task that asks, but for ``close()``.
public protocol ModelStream: AnyObject {
    /// The next event; nil after `.finished`.
    ///
    /// Reacts to cancellation of the task by closing the upstream at once and throwing ``ProviderError/cancelled``.
    func next() async throws(ProviderError) -> ModelEvent?

    /// Closes the upstream at once. Idempotent.
    func close()

    /// When the chunk of the last event came in, in ``EngineClock/nowNanoseconds``; nil for a stream without an upstream,
    /// whose events arrive when they are made.
    var arrivedAt: Int64? { get }
}

extension ModelStream {
    public var arrivedAt: Int64? { nil }
}

/// How many tokens a prompt has.
public enum PromptCount: Sendable, Hashable {
    case exact(Int)
    /// A proven bound (a byte-level tokeniser makes at most a token of each UTF-8 byte, and the template adds a known
    /// number), and the likely number below it, which is what is charged when the upstream tells no usage.
    case atMost(Int, estimate: Int)

    /// What admission has to reserve.
    public var bound: Int {
        switch self {
        case .exact(let count): count
        case .atMost(let bound, _): bound
        }
    }

    /// What to charge without better evidence.
    public var likely: Int {
        switch self {
        case .exact(let count): count
        case .atMost(_, let estimate): estimate
        }
    }
}

/// What a piece of text is. The raw values are wire names (contract §3).
public enum DeltaMarker: String, Sendable, Hashable {
    case answer
    case thinking
    /// The argument text of a tool call.
    case tool
}

/// A piece of text.
public struct ModelDelta: Sendable, Hashable {
    public let text: String
    /// Output tokens to pay before it is forwarded; at least 1.
    public let tokens: Int
    public let marker: DeltaMarker
    /// Which of several parallel answers it belongs to; 0 for the first.
    public let index: Int

    public init(text: String, tokens: Int, marker: DeltaMarker = .answer, index: Int = 0) {
        self.text = text
        self.tokens = tokens
        self.marker = marker
        self.index = index
    }
}

/// A piece of a tool call. The first one of an index carries `id` and `name`.
public struct ToolCallDelta: Sendable, Hashable {
    public let index: Int
    public let id: String?
    public let name: String?
    public let argumentsFragment: String
    /// Output tokens to pay before it is forwarded; at least 1.
    public let tokens: Int

    public init(index: Int, id: String?, name: String?, argumentsFragment: String, tokens: Int) {
        self.index = index
        self.id = id
        self.name = name
        self.argumentsFragment = argumentsFragment
        self.tokens = tokens
    }
}

/// What a model says, in order. `.finished` is the last.
public enum ModelEvent: Sendable, Hashable {
    case delta(ModelDelta)
    case toolCallDelta(ToolCallDelta)
    /// The thinking so far may be given back to the upstream with this.
    case sealed(ThinkingSeal)
    /// The upstream's own count. Where several come, each replaces the one before.
    case usage(ModelUsage)
    /// In the words of OpenAI: `stop`, `length`, `tool_calls`, `content_filter`; and `stop_sequence`, where an upstream tells that
    /// one of the client's sequences was met.
    case finished(reason: String)
}

/// Tokens in classes that do not overlap, so that each can have its own price.
public struct ModelUsage: Sendable, Hashable {
    public var inputFresh: Int
    public var inputCacheRead: Int
    public var inputCacheWrite: Int
    public var outputVisible: Int
    /// Billed as output, never shown.
    public var outputReasoning: Int
    /// True when counted here and not by the upstream.
    public var isEstimated: Bool
    /// True while the upstream has told of the prompt alone: the output is not counted yet.
    public var isInputOnly = false

    public init(
        inputFresh: Int = 0, inputCacheRead: Int = 0, inputCacheWrite: Int = 0, outputVisible: Int = 0,
        outputReasoning: Int = 0, isEstimated: Bool = false
    ) {
        self.inputFresh = inputFresh
        self.inputCacheRead = inputCacheRead
        self.inputCacheWrite = inputCacheWrite
        self.outputVisible = outputVisible
        self.outputReasoning = outputReasoning
        self.isEstimated = isEstimated
    }

    public var inputTokens: Int { inputFresh + inputCacheRead + inputCacheWrite }
    public var outputTokens: Int { outputVisible + outputReasoning }
}
