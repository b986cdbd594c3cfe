/// How long to wait for an upstream. The time to connect is the shared client's: see ``OpenAIProvider/clientConfiguration()``.
public struct UpstreamTimeouts: Sendable, Hashable {
    /// Until the first byte of the answer's body: long prompts take time to read.
    public var firstByte: Duration = .seconds(60)
    /// Between two chunks, while the engine is ready to read.
    public var idle: Duration = .seconds(60)
    /// The whole call.
    public var call: Duration = .seconds(600)

    public init() {}
}
