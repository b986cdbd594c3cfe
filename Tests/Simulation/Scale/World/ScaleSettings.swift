/// What a world of scale is made of. Everything else follows from the seed.
public struct ScaleSettings: Sendable, Hashable {
    /// Places of clients; each has a live stream nearly all the time.
    public var streams = 1_000_000
    public var nodes = 200
    public var masters = 16
    /// The hot organisation's part of the streams, in per mille.
    public var hotShare = 333
    /// Sub-slots of the hot organisation.
    public var hotSlots = 1
    /// Other organisations get one sub-slot for so many streams; 0 gives each exactly one.
    public var streamsPerSlot = 0
    /// True: slots lie on masters in turns, as an operator can place them; false: where their hash puts them.
    public var isBalanced = false
    /// Caps are reached while the world is played; otherwise they are eight hours away.
    public var isNearCap = false
    /// How long a slice lasts.
    public var sliceSeconds = 2
    /// A defect, to show that it is seen: counters that say that they gave back what they keep.
    public var keepsRecalled = false
    /// Virtual seconds before anything is counted, and of the count.
    public var warmUp = 4
    public var seconds = 2
    public var seed: UInt64 = 1
    public var costs = ScaleCosts()

    public init() {}
}

/// Times that were measured (docs/scale.md), in microseconds.
public struct ScaleCosts: Sendable, Hashable {
    /// CPU of a Redis master for one script over eight windows.
    public var open: Int64 = 160
    public var step: Int64 = 180
    public var settle: Int64 = 185
    /// `read`, `release`, `recall`: one window.
    public var window: Int64 = 15
    /// One transaction of the durable root when it is saturated.
    public var root: Int64 = 200
    /// Answer of an idle durable root: a commit with fsync.
    public var rootCommit: Int64 = 800
    /// One way between a node and a master: the least, and the mean of what comes on top.
    public var oneWay: Int64 = 150
    public var jitter: Int64 = 100

    public init() {}
}

/// What clients ask for. Log-normal lengths; the figures are of chat and agent traffic in general and not of one site.
enum Traffic {
    /// Output of a run, tokens: median, sigma of the logarithm, and the longest.
    static let output = (median: 400.0, sigma: 1.0, max: 8_192.0)
    /// True prompt, tokens.
    static let prompt = (median: 300.0, sigma: 0.8, max: 8_192.0)
    /// What is held for a prompt is its bytes and the template's overhead: about so many for a token.
    static let bytesPerToken: Int64 = 4
    static let promptOverhead: Int64 = 96
    /// Tokens a second of one stream.
    static let rate = 20.0...100.0
    /// From admission to the first token, µs.
    static let firstToken: Int64 = 500_000
    /// Pico-USD a token.
    static let inputPrice: Int64 = 2_500_000
    static let outputPrice: Int64 = 10_000_000
    /// Runs that one user has at a time.
    static let streamsPerUser = 3
    /// What one place spends, tokens a second: mean prompt and output over the mean length of a run.
    static let spentPerSecond = 63.0
    /// A budget that is far from its end lasts so long at the present speed.
    static let farSeconds = 8.0 * 3_600
}
