public import AsyncHTTPClient
public import Engine
internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// A model behind Anthropic's `POST {base}/v1/messages`, or a server that speaks the same.
///
/// The upstream tells the prompt's tokens at the beginning of its answer and the output's at the end, so that a run that is cut is
/// charged its cache reads and writes as what they are. Closing the stream closes the upstream connection at once.
public struct AnthropicProvider: ModelProvider {
    /// The vendor's own address.
    public static let baseURL = "https://api.anthropic.com"
    /// The dialect's version that is spoken here.
    public static let version = "2023-06-01"

    /// One upstream model.
    public struct Configuration: Sendable, Hashable {
        /// With or without `/v1` at its end.
        public var baseURL: String
        /// Nil for an upstream without authentication.
        public var apiKey: String?
        public var upstreamModel: String
        /// The most output of one answer; nil when nobody said.
        public var outputTokensMax: Int?
        public var timeouts = UpstreamTimeouts()
        /// Tokens that the upstream's template adds to every prompt, at most.
        public var promptOverhead = 96
        /// False: the answer is asked for as a whole.
        public var isStreamed = true

        public init(baseURL: String = AnthropicProvider.baseURL, apiKey: String?, upstreamModel: String) {
            self.baseURL = baseURL
            self.apiKey = apiKey
            self.upstreamModel = upstreamModel
        }
    }

    /// What the upstream says to a model that has tools, at most, besides what ``PromptBound`` counts for any template: the vendor
    /// documents up to 530 tokens (*Tool use*, pricing), and newer models are bounded with room to spare.
    private static let toolPrompt = 1_024

    private let client: HTTPClient
    private let configuration: Configuration
    private let clock: any EngineClock
    private let url: String
    private let calibration = UsageCalibration()

    /// - Parameter client: shared by all providers, owned and shut down by the caller; as ``OpenAIProvider/clientConfiguration()``.
    public init(client: HTTPClient, configuration: Configuration, clock: any EngineClock = SystemEngineClock()) {
        self.client = client
        self.configuration = configuration
        self.clock = clock
        url = Self.address("messages", at: configuration.baseURL)
    }

    /// The address of one of the API's resources: operators write the base with and without its version.
    public static func address(_ resource: String, at base: String) -> String {
        var base = base[...]
        while base.last == "/" { base.removeLast() }
        return base + (base.hasSuffix("/v1") ? "/" : "/v1/") + resource
    }

    public var countsAreExact: Bool { false }

    /// The bound is proven and stays what it is; only the estimate below it follows what the upstream has reported.
    public func promptTokens(_ request: ModelRequest) -> PromptCount {
        let count = counted(request)
        return .atMost(count.bound, estimate: min(calibration.prompt.times(count.likely), count.bound))
    }

    private func counted(_ request: ModelRequest) -> PromptCount {
        let hasTools = !(request.tools?.arrayValue ?? []).isEmpty
        return PromptTokens.count(request, overhead: configuration.promptOverhead + (hasTools ? Self.toolPrompt : 0))
    }

    public func stream(_ request: ModelRequest) -> any ModelStream {
        let names = FunctionNames(request.tools)
        var call = HTTPClientRequest(url: url)
        call.method = .POST
        call.headers.add(name: "content-type", value: "application/json")
        call.headers.add(name: "accept", value: configuration.isStreamed ? "text/event-stream" : "application/json")
        call.headers.add(name: "anthropic-version", value: Self.version)
        if let key = configuration.apiKey { call.headers.add(name: "x-api-key", value: key) }
        call.body = .bytes(ByteBuffer(bytes: MessagesRequestBody(request, configuration, names).encode()))
        let ratio = calibration.output
        return UpstreamStream(
            UpstreamCall(
                client: client, request: call, timeouts: configuration.timeouts, clock: clock, calibration: calibration,
                makeParser: { MessagesParser(ratio: ratio, names: names) }, promptEstimate: counted(request).likely,
                secret: configuration.apiKey, isStreamed: configuration.isStreamed))
    }
}
