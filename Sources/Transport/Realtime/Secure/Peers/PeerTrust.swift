/// How another node proves that it is of the cluster, before a request is sent on to it. The authorities of the machine count in neither
/// way: whoever gets a certificate from one of them is not one of ours.
public enum PeerTrust: Sendable {
    /// By the key of this node's own certificate: all nodes show the same one, or have renewed it with the same key.
    ///
    /// - Parameter renewed: reads the file that the certificate came from, in PEM; nil when it cannot be read. Asked when a node proves an
    ///   unknown key, which may be a renewal that it has seen first; on a thread that may wait.
    case ownKey(renewed: (@Sendable () -> [UInt8]?)? = nil)
    /// By a certificate that one of these authorities, in PEM, has signed, and that is valid for the host that the node announces: its name,
    /// or its number where it announces one.
    case roots([UInt8])
}
