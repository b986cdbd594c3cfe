/// The limits of the table of nodes, each with its reason. Milliseconds unless the name says otherwise.
public enum MembershipLimits {
    /// Between two beats of a node. Each writes the node's row and reads the table.
    public static let beatMilliseconds: Int64 = 2_000
    /// A node is down when its last beat is so long ago: two may be lost, or late.
    public static let downMilliseconds: Int64 = 6_000
    /// An id belongs to the process that claimed it for so long after its last beat, and is nobody else's: ten times the time after
    /// which the node counts as down, so that a process that was stopped and goes on finds it free or its own.
    public static let claimMilliseconds: Int64 = 60_000
    /// Ids that are tried at the start. One is taken with a chance of one in 16.7 million a node: eight in a row are a fault.
    static let claimsMax = 8
    /// Commands of one beat: the claims, and redirections of a Redis Cluster. Another beat comes.
    static let turnsMax = 12
    /// Nodes that are read of the table. Every node reads every other's row, so a larger cluster needs another way.
    public static let nodesMax = 1_024
    /// Redis answers again after a longer silence: the nodes' rows may be as old, without any of them being down.
    static let contactGapMilliseconds = 2 * beatMilliseconds
    /// Bytes of a uid and of an address in a row.
    static let wordBytesMax = 300
}
