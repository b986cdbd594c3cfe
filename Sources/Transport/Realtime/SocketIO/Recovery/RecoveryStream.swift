package import JSON

/// A cluster that can keep the events of all its servers in one order.
package protocol RecoveringCluster: ClusterPort {
    var recoveryStream: any RecoveryStream { get }
}

/// The events of all servers of a cluster in one order, which each of them reads, and the sockets that may come back at any of them.
///
/// The order is that of the stream alone: a server delivers its own events too when it has read them. Any thread may call.
package protocol RecoveryStream: Sendable {
    /// Turns it on, before the cluster runs. Once.
    ///
    /// - Parameters:
    ///   - duration: how long a socket is kept after the end of its connection.
    ///   - retention: how old an event may be that somebody has missed.
    ///   - receiver: takes what was read, in its order, and what was not taken, at any time and on any thread; must not block.
    func open(duration: Duration, retention: Duration, receiver: @escaping @Sendable ([RecoveryReading]) -> Void)

    /// True while what is sent is read again by all, and sockets can be kept and taken.
    var isReady: Bool { get }

    /// Gives a command its place; this server performs it when it comes back through the receiver. Must not block.
    ///
    /// - Returns: false when it was not taken, so that whoever comes back must not believe that nothing is missing; the stream sees to that.
    func send(_ command: ClusterCommand, namespace: String) -> Bool

    /// Does something when all that was sent up to now has been handed to the receiver, at once if there is nothing.
    func afterSent(_ body: @escaping @Sendable () -> Void)

    /// Keeps a socket, or what has changed of it.
    func keep(_ session: RecoverySession, _ mode: RecoverySession.Mode)

    /// The socket will not come back.
    func forget(_ pid: SessionID)

    /// Looks a socket up that may come back, and leaves it where it is.
    func find(_ pid: SessionID) async throws(RecoveryStreamFault) -> RecoverySession?

    /// Takes a socket, so that nobody else has it, tells the server that still believes to have it, and waits until everything that may
    /// have been sent to it has been handed to the receiver.
    ///
    /// - Returns: the socket and the place at which it was taken; nil when somebody else was faster.
    func take(_ pid: SessionID) async throws(RecoveryStreamFault) -> (session: RecoverySession, place: RecoveryOffset)?
}

/// The stream does not answer.
package struct RecoveryStreamFault: Error, Sendable, Hashable {
    package init() {}
}

/// Something that was read from the stream, or was not to be had from it.
package enum RecoveryReading: Sendable {
    /// - Parameter isLive: false for what was emitted before this server read along: only for those who come back.
    case command(ClusterCommand, namespace: String, RecoveryOffset, isLive: Bool)
    /// An event of this server that the stream has not taken after all.
    case unstored(ClusterCommand, namespace: String)
    /// The socket has gone on at another server.
    case taken(SessionID, RecoveryOffset)
    /// From here on this server reads along; what was emitted before it is not known here.
    case begins(RecoveryOffset)
    /// Some of what was emitted before this place is missing in the stream.
    case gap(RecoveryOffset)
    /// An event for these is not in the stream.
    case lost(BroadcastTarget, namespace: String, RecoveryOffset)
    /// Nothing that concerns this server.
    case passed(RecoveryOffset)
}

/// A socket as it is kept for any server that it may come back at.
package struct RecoverySession: Sendable, Equatable {
    package struct Room: Sendable, Equatable {
        package let name: String
        package let since: RecoveryOffset

        package init(name: String, since: RecoveryOffset) {
            self.name = name
            self.since = since
        }
    }

    /// What a server of Node.js does not know.
    package struct Details: Sendable, Equatable {
        package let namespace: String
        /// A digest of whom the socket stands for; nil when nobody has said.
        package let identity: String?
        /// Since when it is in the namespace.
        package let start: RecoveryOffset
        /// Up to where the rooms are those that the cluster's commands have made them.
        package let at: RecoveryOffset

        package init(namespace: String, identity: String?, start: RecoveryOffset, at: RecoveryOffset) {
            self.namespace = namespace
            self.identity = identity
            self.start = start
            self.at = at
        }
    }

    package enum Mode: Sendable, Hashable {
        /// It is new, or has come back.
        case create
        /// Something has changed, or time has passed. Not if somebody has taken it.
        case update
        /// The connection has ended: from now on its time runs. Not if somebody has taken it.
        case end
    }

    package let id: SessionID
    package let pid: SessionID
    /// Its own first.
    package let rooms: [Room]
    package let data: JSONObject
    /// Nil for one that a server of Node.js has kept.
    package let details: Details?

    package init(id: SessionID, pid: SessionID, rooms: [Room], data: JSONObject, details: Details?) {
        self.id = id
        self.pid = pid
        self.rooms = rooms
        self.data = data
        self.details = details
    }
}
