internal import NIOCore

/// Every maximum of the HTTP front that is not configurable, with its reason. Bytes unless the name says otherwise.
enum FrontLimits {
    /// A field of 16 KiB holds the largest cookie or token seen in practice; proxies in front allow 8 KiB.
    static let headerFieldBytesMax = 16 * 1024
    /// All fields and the request line of one request: twice the largest field.
    static let headerListBytesMax = 32 * 1024
    /// Browsers send about 20 fields, proxies add some. More than 100 is an attack (ws CVE-2024-37890).
    static let headerFieldsMax = 100

    /// Bodies up to this declared length are gathered and handed over whole: no producer, no second hop.
    static let gatheredBodyBytesMax = 16 * 1024
    /// Buffers that wait for the consumer of a streamed request body. Each holds at most one socket read (64 KiB).
    static let bodyBuffersLow = 2
    static let bodyBuffersHigh = 4

    /// Parts of pipelined requests that may wait before we stop reading.
    static let queuedPartsSoftMax = 16
    /// Parts of pipelined requests that may wait at all, before the connection is dropped. One read of 64 KiB holds at most
    /// 2,600 requests of two parts; more can only come with the FIN of a client that pipelined without end.
    static let queuedPartsHardMax = 8192
    /// Reads of the socket before what they brought is dealt with: back-pressure acts between cycles only.
    static let readsPerCycle: UInt = 1
    /// What is read and thrown away after the last answer, so that the client sees it before the connection resets.
    static let drainedBytesMax = 256 * 1024

    /// Responses up to this known length are collected and sent in one hop to the event loop.
    static let wholeResponseBytesMax = 64 * 1024
    /// Bytes of a streamed response that wait for the event loop before its writer is suspended.
    static let outboxBytesMax = 64 * 1024

    /// Bytes that the kernel takes from us for a connection before its network can: twice what is written in a turn, so that a fast
    /// client never waits for us. What is on its way comes on top, and that is as much as the client asked for.
    static let unsentBytesMax: SocketOptionValue = 128 * 1024

    /// A client's `x-request-id` longer than this is replaced by one of ours.
    static let requestIDCharactersMax = 128
    /// Refused connections that may linger until they have read their 503; more are closed at once.
    static let refusedConnectionsMax = 256
}
