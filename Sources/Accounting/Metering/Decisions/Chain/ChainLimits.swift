/// Maximums of the chain over decisions, and its pace, with their reasons.
public enum ChainLimits {
    /// Numbers of one page of a walk: at 44 KiB a decision at most, it is 11 MiB.
    public static let page: Int64 = 256
    /// Orgs, and checkpoints, of one page.
    public static let rows = 256
    /// Records after which a checkpoint is due at once: what may be cut off unseen stays small.
    public static let checkpointRecords: Int64 = 64
    /// How long a record waits for a checkpoint (ms).
    public static let checkpointInterval = Milliseconds(10_000)
    /// Bytes of a line of a checkpoint file. Ours have less than 700: an org's name has 64 bytes, the rest is of fixed length.
    public static let lineBytes = 4_096
    /// Public keys of one installation: one for each data directory that ever served it.
    public static let keys = 10_000
    /// Orgs of a checkpoint file of which the last position is remembered while it is read: 10 MB.
    public static let anchoredOrgs = 100_000
    /// Records without a hash that one transaction puts into the chain: what servers of an earlier release wrote beside this one, or before
    /// it came back. An append goes through as many transactions as it needs.
    public static let catchUp: Int64 = 1_000
}
