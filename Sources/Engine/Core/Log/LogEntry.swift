/// One event as a reader of the log gets it.
public struct LogEntry: Sendable, Hashable {
    /// The number of the first event in it; less than `seq` only where deltas were merged, or in a gap.
    public let firstSeq: Int
    /// The number of the last event in it; where to go on reading.
    public let seq: Int
    /// When the last event in it happened; milliseconds since 1970.
    public let timestamp: Int64
    public let body: RunEventBody

    public init(firstSeq: Int, seq: Int, timestamp: Int64, body: RunEventBody) {
        self.firstSeq = firstSeq
        self.seq = seq
        self.timestamp = timestamp
        self.body = body
    }
}
