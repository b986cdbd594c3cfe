/// The limits of a cluster on one Redis, each with its reason.
public enum ClusterLimits {
    /// Bytes of one message of another server or an external publisher; a longer one is refused unread. Ten attachments of the largest
    /// packet that a client may send fit; whoever publishes more should store it and send where it is.
    public static let messageBytesMax = 16 << 20
}
