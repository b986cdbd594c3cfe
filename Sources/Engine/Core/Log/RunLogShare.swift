/// Where the log of a run is kept for the other nodes: a run has one owner, and readers anywhere.
public protocol RunLogShare: Sendable {
    /// A run begins, before its first event. Returns at once: the log is read when there is time for it, as by any slow reader, and the run
    /// waits for nobody.
    func share(_ run: RunHandle)
}
