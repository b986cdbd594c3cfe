internal import NIOCore

/// Every maximum of TLS and HTTP/2 that is not configurable, with its reason. Those of requests are ``FrontLimits``, for both protocols.
enum SecureLimits {
    /// How long we wait for the client's own end of TLS. It tells us nothing that matters (RFC 8446 §6.1 lets us not wait at all), but a
    /// client that reads slowly may still want our last bytes.
    static let closeNotify = TimeAmount.seconds(1)

    /// Streams that one connection may have open: what RFC 9113 §6.5.2 names as the least, enough for a page with a poll, an event stream
    /// and its files, and for a proxy that shares a connection.
    static let streamsMax = 100
    /// What a client may send on one stream, and on all, before we have taken it. The protocol's default: a body is read at 64 KiB a round trip.
    static let windowBytes = 65_535
    /// Bytes of an answer that wait for the client's window before its writer waits: as much as the outbox keeps before that.
    static let streamBufferHigh = 64 * 1024
    static let streamBufferLow = 16 * 1024
    /// CVE-2024-27316: a header block is at most 32 KiB (``FrontLimits/headerListBytesMax``), which is two frames of the smallest size.
    static let continuationFramesMax = 5
    /// CVE-2023-44487 (rapid reset) and CVE-2025-8671 (a client that makes us reset): so many in ``floodWindow``. A reader who leaves a page
    /// ends a handful of streams.
    static let resetsMax = 200
    /// CVE-2019-9512, -9515: PING, SETTINGS and PRIORITY frames in ``floodWindow``. Browsers send a PING every few seconds at most.
    static let controlFramesMax = 200
    static let floodWindow = TimeAmount.seconds(30)
    /// Answers to those that a client does not read, before its connection is dropped (CVE-2019-9517).
    static let bufferedControlFramesMax = 1_000
    /// CVE-2019-9518: DATA frames with nothing in them, in a row.
    static let emptyFramesMax = 2
    /// Requests that break the protocol, in all the life of a connection.
    static let malformedMax = 200
}
