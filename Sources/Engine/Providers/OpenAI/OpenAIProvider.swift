public import AsyncHTTPClient
public import Engine
internal import NIOCore
internal import NIOHTTP1

/// A model behind an OpenAI-compatible `POST {base}/chat/completions`: OpenAI, vLLM, llama.cpp, Ollama, OpenRouter, …
///
/// Always asks for a stream with usage. Where the upstream gives no usage, the engine charges what was counted here, as
/// an estimate. Closing the stream closes the upstream connection at once.
public struct OpenAIProvider: ModelProvider {
    /// The parameter that carries the output limit. OpenAI's reasoning models refuse the old name, older servers do
    /// not know the new one.
    public enum OutputLimit: String, Sendable, Hashable {
        case maxTokens = "max_tokens"
        case maxCompletionTokens = "max_completion_tokens"
    }

    public typealias Timeouts = UpstreamTimeouts

    /// One upstream model.
    public struct Configuration: Sendable, Hashable {
        /// For instance `https://api.openai.com/v1`.
        public var baseURL: String
        /// Nil for an upstream without authentication.
        public var apiKey: String?
        public var upstreamModel: String
        public var outputLimit = OutputLimit.maxTokens
        public var timeouts = Timeouts()
        /// Tokens that the upstream's template adds to every prompt, at most. The default holds the longest that is known,
        /// gpt-oss's, with room to spare; OpenAI's own models add 3.
        public var promptOverhead = 96
        /// False: the answer is asked for as a whole.
        public var isStreamed = true

        public init(baseURL: String, apiKey: String?, upstreamModel: String) {
            self.baseURL = baseURL
            self.apiKey = apiKey
            self.upstreamModel = upstreamModel
        }
    }

    private let client: HTTPClient
    private let configuration: Configuration
    private let clock: any EngineClock
    private let url: String
    /// Of this model alone: models of one upstream may have different vocabularies.
    private let calibration = UsageCalibration()

    /// - Parameter client: shared by all providers, owned and shut down by the caller.
    public init(client: HTTPClient, configuration: Configuration, clock: any EngineClock = SystemEngineClock()) {
        self.client = client
        self.configuration = configuration
        self.clock = clock
        var base = configuration.baseURL[...]
        while base.last == "/" { base.removeLast() }
        url = base + "/chat/completions"
    }

    /// What the shared client should be configured like: no redirects (they would carry the key elsewhere), quick to
    /// give up on a host that does not answer, and as many connections as there may be runs, because each stream
    /// occupies one and the client's own default of 8 would queue the ninth.
    public static func clientConfiguration(connectionsPerHost: Int = EngineLimits().runsMax) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connectionsPerHost
        // A retried POST could be billed twice.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    public var countsAreExact: Bool { false }

    /// The bound is proven and stays what it is; only the estimate below it follows what the upstream has reported.
    public func promptTokens(_ request: ModelRequest) -> PromptCount {
        let count = PromptTokens.count(request, overhead: configuration.promptOverhead)
        return .atMost(count.bound, estimate: min(calibration.prompt.times(count.likely), count.bound))
    }

    public func stream(_ request: ModelRequest) -> any ModelStream {
        var call = HTTPClientRequest(url: url)
        call.method = .POST
        call.headers.add(name: "content-type", value: "application/json")
        call.headers.add(name: "accept", value: configuration.isStreamed ? "text/event-stream" : "application/json")
        if let key = configuration.apiKey { call.headers.add(name: "authorization", value: "Bearer \(key)") }
        call.body = .bytes(ByteBuffer(bytes: ChatRequestBody.encode(request, configuration)))
        return UpstreamStream(
            UpstreamCall(
                client: client, request: call, timeouts: configuration.timeouts, clock: clock,
                calibration: calibration,
                makeParser: { [ratio = calibration.output, names = FunctionNames(request.tools)] in
                    ChatChunkParser(ratio: ratio, names: names)
                },
                promptEstimate: PromptTokens.count(request, overhead: configuration.promptOverhead).likely,
                secret: configuration.apiKey, isStreamed: configuration.isStreamed))
    }
}
