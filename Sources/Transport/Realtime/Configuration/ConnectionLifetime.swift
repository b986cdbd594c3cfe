internal import NIOCore

/// How long a session lives at most: then it is closed, and its client connects and authenticates anew.
///
/// A credential is looked at when a client connects. With a lifetime no connection outlives by more what was true of it then, and
/// after a change of servers the clients spread over all of them again. Stock clients reconnect by themselves, with what their `auth` says then.
public struct ConnectionLifetime: Sendable, Hashable {
    public let duration: Duration
    /// By how much of ``duration`` a session may end earlier, so that clients which came at one time do not go at one time.
    public let jitter: Double

    /// - Throws: ``TransportConfigurationError`` naming the setting that is out of range.
    public init(_ duration: Duration, jitter: Double = 0.1) throws(TransportConfigurationError) {
        guard duration >= .milliseconds(10), duration <= .seconds(30 * 86_400) else {
            throw TransportConfigurationError(setting: "connectionLifetime", reason: "must lie between 10 ms and 30 days")
        }
        guard jitter >= 0, jitter <= 0.9 else {
            throw TransportConfigurationError(setting: "connectionLifetime.jitter", reason: "must lie between 0 and 0.9")
        }
        self.duration = duration
        self.jitter = jitter
    }

    /// - Parameter chance: from 0 to 1, a new one for each session.
    func time(_ chance: Double) -> TimeAmount {
        let whole = duration.timeAmount.nanoseconds
        return .nanoseconds(whole - Int64(Double(whole) * jitter * chance))
    }
}
