internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2
internal import NIOSSL

/// The end of the pipeline of an HTTP/2 connection: makes a front for each stream, ends the connection when nothing happens on it, and when
/// the protocol was broken. Confined to the connection's event loop.
///
/// Streams are channels of their own with a ``FrontHandler`` each, so that a request is served as over HTTP/1.1. GOAWAY in its two steps
/// (RFC 9113 §6.8) is `NIOHTTP2ServerConnectionManagementHandler`'s.
final class HTTP2ConnectionHandler: ChannelInboundHandler, SweptConnection {
    typealias InboundIn = HTTP2Frame

    private let shared: FrontShared
    private let loop: FrontLoop
    private let channel: any Channel
    private var openStreams = 0
    private var streams: UInt32 = 0
    /// What the kernel has taken of answers since the connection began.
    private var takenBytes = 0
    private var isEnding = false
    private var deadlines = FrontDeadlines()

    private init(shared: FrontShared, loop: FrontLoop, channel: any Channel) {
        self.shared = shared
        self.loop = loop
        self.channel = channel
    }

    /// Puts everything that HTTP/2 needs at the end of a pipeline. On the channel's event loop.
    static func add(to channel: any Channel, shared: FrontShared, loop: FrontLoop, slot: FrontLoop.Slot) throws {
        let connection = HTTP2ConnectionHandler(shared: shared, loop: loop, channel: channel)
        let bound = NIOLoopBound(connection, eventLoop: channel.eventLoop)
        let ending = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop, configuration: .init(maxIdleTime: nil, maxAge: nil, maxGraceTime: nil, keepalive: nil))
        let http2 = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connectionLimits, streamConfiguration: streamLimits,
            streamDelegate: ending.http2StreamDelegate
        ) { stream in stream.eventLoop.makeCompletedFuture { try bound.value.serve(stream) } }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(http2)
        try pipeline.addHandler(ending)
        try pipeline.addHandler(connection)
        slot.front = connection
    }

    private static let connectionLimits: NIOHTTP2Handler.ConnectionConfiguration = {
        var limits = NIOHTTP2Handler.ConnectionConfiguration()
        limits.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: SecureLimits.streamsMax),
            HTTP2Setting(parameter: .maxHeaderListSize, value: FrontLimits.headerListBytesMax),
            HTTP2Setting(parameter: .initialWindowSize, value: SecureLimits.windowBytes),
        ]
        limits.targetWindowSize = SecureLimits.windowBytes
        limits.maximumSequentialContinuationFrames = SecureLimits.continuationFramesMax
        limits.maximumBufferedControlFrames = SecureLimits.bufferedControlFramesMax
        limits.maximumSequentialEmptyDataFrames = SecureLimits.emptyFramesMax
        limits.maximumConnectionGlitches = SecureLimits.malformedMax
        limits.controlFrameRateLimit.maximumCount = SecureLimits.controlFramesMax
        limits.controlFrameRateLimit.windowLength = SecureLimits.floodWindow
        return limits
    }()

    private static let streamLimits: NIOHTTP2Handler.StreamConfiguration = {
        var limits = NIOHTTP2Handler.StreamConfiguration()
        limits.targetWindowSize = SecureLimits.windowBytes
        limits.outboundBufferSizeHighWatermark = SecureLimits.streamBufferHigh
        limits.outboundBufferSizeLowWatermark = SecureLimits.streamBufferLow
        limits.streamResetFrameRateLimit.maximumCount = SecureLimits.resetsMax
        limits.streamResetFrameRateLimit.windowLength = SecureLimits.floodWindow
        limits.streamErrorRateLimit.maximumCount = SecureLimits.resetsMax
        limits.streamErrorRateLimit.windowLength = SecureLimits.floodWindow
        return limits
    }()

    /// The front of a stream that the client has opened.
    private func serve(_ stream: any Channel) throws {
        // A stream that came before the client heard of the end is served to its end.
        // A stream may not end before it has been announced to all.
        guard shared.admitStream() else { return stream.eventLoop.execute { stream.close(promise: nil) } }
        streams &+= 1
        openStreams += 1
        stream.closeFuture.assumeIsolated().whenComplete { _ in
            self.openStreams -= 1
            self.shared.streamEnded()
        }
        guard let slot = loop.add(stream, ofConnection: true) else { return }
        let edge = HTTP2StreamHandler { self.takenBytes &+= $0 }
        let front = FrontHandler(shared: shared, loop: loop, slot: slot, codec: nil, stream: edge)
        slot.front = front
        if loop.isQuiescing { _ = front.machine.quiesce() }
        let pipeline = stream.pipeline.syncOperations
        try pipeline.addHandler(edge)
        try pipeline.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
        try pipeline.addHandler(front)
    }

    // MARK: The end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        // A client that can send no more can open no window either.
        case ChannelEvent.inputClosed: context.close(promise: nil)
        case is ChannelShouldQuiesceEvent: isEnding = true
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let reason = HTTP2Fault.reason(error) else {
            // What concerns one stream was told to that stream, and its client was told with a reset.
            if !(error is any NIOHTTP2Error) { context.close(promise: nil) }
            return
        }
        shared.metrics.count(reason)
        // GOAWAY with the reason has been sent.
        context.close(promise: nil)
    }

    // MARK: Deadlines

    func sweep() -> FrontDeadlines.Verdict {
        let phase: FrontDeadlines.Phase = openStreams > 0 ? .answering : isEnding ? .draining : .idle
        let bufferedBytes = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        return deadlines.sweep(phase, epoch: streams, bufferedBytes: bufferedBytes, writtenBytes: takenBytes, shared.deadlines)
    }

    func overstayed(_ verdict: FrontDeadlines.Verdict) {
        switch verdict {
        case .stay: break
        // GOAWAY, and the end once the client has acknowledged it or the linger deadline has passed.
        case .idle: channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        case .writeProgress:
            shared.metrics.count(.writeProgress)
            channel.close(promise: nil)
        case .linger, .headerDeadline, .bodyRate, .handshakeDeadline: channel.close(promise: nil)
        }
    }
}

/// What a fault of the protocol means to us.
enum HTTP2Fault {
    /// - Returns: nil for what concerns one stream alone (RFC 9113 §5.4.2), or for what is not HTTP/2's.
    static func reason(_ error: any Error) -> RefusalReason? {
        switch error {
        case is NIOHTTP2Errors.ExcessiveRSTFrames, is NIOHTTP2Errors.ExcessiveControlFrames, is NIOHTTP2Errors.ExcessiveStreamErrors,
            is NIOHTTP2Errors.ExcessiveEmptyDataFrames, is NIOHTTP2Errors.ExcessiveNumberOfGlitches,
            is NIOHTTP2Errors.ExcessiveOutboundFrameBuffering, is NIOHTTP2Errors.MaxStreamsViolation:
            .flood
        case is NIOHTTP2Errors.ExcessiveContinuationFrames, is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock: .headerLimit
        case is NIOHTTP2Errors.BadClientMagic, is NIOHTTP2Errors.MissingPreface, is NIOHTTP2Errors.UnableToParseFrame,
            is NIOHTTP2Errors.InvalidSetting, is NIOHTTP2Errors.ReceivedBadSettings, is NIOHTTP2Errors.InvalidFlowControlWindowSize,
            is NIOHTTP2Errors.PriorityCycle, is NIOHTTP2Errors.StreamIDTooSmall, is NIOHTTP2Errors.InvalidStreamIDForPeer,
            is NIOHTTP2Errors.RaisedGoawayLastStreamID, is NIOHTTP2Errors.PushInViolationOfSetting,
            is NIOHTTP2Errors.IOOnClosedConnection:
            .badRequest
        default: nil
        }
    }
}
