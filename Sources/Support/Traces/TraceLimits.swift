/// The bounds of tracing, each with its reason.
public enum TraceLimits {
    /// Attributes and events of one span: some thirty of ours, and nobody adds any at will.
    static let attributesMax = 48
    static let eventsMax = 32
    /// One text: names and codes. A model's invention of a tool's name is cut here.
    static let textBytesMax = 256
    /// Spans of one batch: about half a megabyte of JSON, which every collector takes.
    static let batch = 512
    /// Spans that wait for a collector where the settings do not say: some minutes of a busy server, below 20 MiB.
    public static let queue = 8_192
    /// How often what waits is sent.
    static let interval = Duration.seconds(1)
    /// Before a batch that was not taken is sent again: doubles each time, to the longest.
    static let firstPause = Duration.seconds(1)
    static let longestPause = Duration.seconds(30)
    /// How long one batch is tried. The queue goes on filling meanwhile, and what has no room there is dropped.
    static let patience = Duration.seconds(300)
    /// What a server that shuts down gives to the last spans: requests, not seconds.
    static let lastBatches = 4
}
