public import Transport

/// A node of a cluster, as another one knows it.
public struct ClusterNode: Sendable, Hashable {
    /// The first three bytes of its sessions' ids; 24 bits.
    public let id: UInt32
    /// Where the other nodes reach it; nil while it does not listen.
    public let address: PeerAddress?
    /// Its adapter's ``RedisCluster/uid``; nil when it has none.
    public let uid: String?

    /// A node of these parts.
    public init(id: UInt32, address: PeerAddress?, uid: String?) {
        self.id = id
        self.address = address
        self.uid = uid
    }
}

/// How a node's membership is doing.
public struct MembershipStatus: Sendable, Equatable {
    /// Whether the node is in the table.
    public enum State: Sendable, Equatable {
        /// Redis has not answered yet. The id is one at random, and the other nodes do not know this one.
        case waiting
        case member
        /// Redis does not answer. What was known of the others is kept; new nodes are not heard of, and this one counts as down for
        /// them after ``MembershipLimits/downMilliseconds`` if it is this node's connection alone.
        case outOfContact
        /// Another process has the id: this one was silent for longer than ``MembershipLimits/claimMilliseconds``, or began without Redis
        /// and met one of 16.7 million. It is not in the table any more, so that no request is sent to it by mistake; requests that
        /// reach it by themselves are served. Only a new process gets a new id.
        case idLost
    }

    /// How it stands with the table.
    public var state: State
    /// Other nodes that are up.
    public var others: Int
}
