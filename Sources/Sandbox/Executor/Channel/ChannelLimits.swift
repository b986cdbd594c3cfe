internal import JSON

/// The bounds of one sandbox's channel.
///
/// Source: sandbox protocol, `docs/protocol.md`. Reaching one is a refused call where the text says so, otherwise a
/// ``ChannelViolation``.
public struct ChannelLimits: Sendable, Hashable {
    /// Bytes of one frame from the sandbox: arguments and results are small, files are artefacts.
    public var frameBytesIn = 1 << 20
    /// Bytes of one frame to the sandbox: documents that a tool brings. A longer reply becomes the error `reply_too_large`.
    public var frameBytesOut = 4 << 20
    /// Calls without a reply; the next is refused with `too_many_inflight`, not queued.
    public var inFlight = 16
    /// Calls of a run, refused ones included.
    public var calls = 1_000
    /// Bytes of a run from the sandbox, lengths included.
    public var bytes = 64 << 20
    /// Frames of a run. A frame of a few bytes costs a hundred times that to handle, so bytes alone bound nothing.
    public var frames = 100_000
    /// Bytes that wait for the sandbox to read them. A frame alone always fits.
    public var unreadBytes = 4 << 20
    /// How long the sandbox may read nothing while bytes wait; a thread of it does nothing but read.
    public var unread: Duration = .seconds(10)
    /// From a frame's first byte to its last. A whole one is written by one thread without a pause.
    public var frame: Duration = .seconds(10)
    /// Bytes of the name of a tool or a stream: fixed, as it is a part of the names' form.
    static let nameBytes = 64
    /// Bytes of an idempotency key.
    public var idempotencyKeyBytes = 128
    /// Bytes of a `log` frame that are kept.
    public var logBytes = 4 << 10

    /// Depth, values and keys of a frame.
    public var depth = 32
    public var nodes = 10_000
    public var keyBytes = 128

    public init() {}

    var json: StrictJSONLimits { StrictJSONLimits(depth: depth, nodes: nodes, keyBytes: keyBytes) }
}
