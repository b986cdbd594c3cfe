internal import NIOCore

/// The limits of requests that are sent on to another node, each with its reason.
package enum RelayLimits {
    /// Nodes share a network: one that has not answered the SYN after a second, and its repetition, is away.
    package static let connectSeconds: Int64 = 1
    /// A handshake is two turns on that network and a few milliseconds of arithmetic, on loops that may be busy.
    static let handshakeSeconds: Int64 = 3
    /// The key of the certificate before is believed so long after a renewal: what distributes certificates has reached every node by then. A
    /// key that was renewed because it is known to others is not believed for ever.
    static let keyBefore = TimeAmount.hours(1)
    /// Between two looks at the certificate's file for the sake of nodes with an unknown key.
    static let keyLookInterval = TimeAmount.milliseconds(200)
    /// Between two pieces of an answer. The owner sends an answer whole, so silence inside of one means a broken path.
    static let silenceSeconds: Int64 = 10
    /// What an answer may take beyond the longest poll: the owner's own timers may be late by as much.
    static let patienceSlackSeconds: Int64 = 5
    /// An idle connection is kept so long. Far below the 75 s after which a node closes one, so that no request is written
    /// into a connection that is being closed.
    static let idleSeconds: Int64 = 10
    /// Idle connections to one node, an event loop: what a burst leaves over.
    static let idleConnectionsMax = 64
    /// A connection whose partner has ended may take what waits for it so long, as after any last answer.
    static let lingerSeconds: Int64 = 5
    /// The field that says that a request has been relayed. Such a request is never relayed again, whoever sent it.
    package static let guardField = "x-kdcube-relay"
}
