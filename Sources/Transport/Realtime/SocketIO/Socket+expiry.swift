internal import NIOCore
internal import Synchronization

/// When a socket's right to be here ends. Any thread sets it and reads it; the loop acts on it.
///
/// Uptime in nanoseconds; ``never`` for nearly all.
final class SocketExpiry: Sendable {
    static let never = Int64.max
    private let at = Atomic<Int64>(never)

    var isOver: Bool { at.load(ordering: .relaxed) <= Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    func set(_ deadline: NIODeadline?) {
        at.store(deadline.map { Int64(clamping: $0.uptimeNanoseconds) } ?? Self.never, ordering: .relaxed)
    }
}

/// What ends when a socket's time is over.
public enum ExpiryScope: Sendable, Hashable {
    /// The session, with ``DisconnectReason/expired``: a stock client connects anew, with what its `auth` says by then, and the middlewares
    /// have the last word.
    case session
    /// The socket alone, with ``DisconnectReason/serverNamespaceDisconnect``: other namespaces of the session go on, and a stock client
    /// comes back only when its program asks for it.
    case namespace
}

extension Socket {
    /// Says how long the socket may stay, as the credential behind it does; each call takes the place of the one before. So a client that brings another
    /// credential, by whatever event the application has for that, stays longer, and nil lets it stay for good.
    ///
    /// When the time is over ``isExpired`` is true, and after the grace what `scope` says is ended.
    ///
    /// - Parameter grace: for the client to bring another credential. Zero ends it at once.
    public func expires(after time: Duration?, grace: Duration = .zero, ending scope: ExpiryScope = .session) {
        let now = NIODeadline.now()
        let deadline = time.map { now + Self.bounded($0) }
        expiry.set(deadline)
        setExpiry(deadline.map { $0 + Self.bounded(grace) }, ending: scope)
    }

    /// The same by the time of day, as tokens have it.
    ///
    /// - Parameter milliseconds: since 1970, kept to the second; what is past is now.
    public func expires(at milliseconds: Int64?, grace: Duration = .zero, ending scope: ExpiryScope = .session) {
        expires(after: milliseconds.map { .milliseconds($0 - WallClock.milliseconds) }, grace: grace, ending: scope)
    }

    /// True from the moment on that ``expires(after:grace:ending:)`` has set. What the client may still do until the grace is over is for the
    /// application to say: its events go on to arrive.
    public var isExpired: Bool { expiry.isOver }

    /// A hundred years are for ever, and do not overflow.
    private static func bounded(_ time: Duration) -> TimeAmount { min(max(.zero, time), .seconds(100 * 365 * 86_400)).timeAmount }
}
