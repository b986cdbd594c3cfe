public import NIOCore

/// Reads WebSocket frames from a growing buffer and gives whole messages (RFC 6455 §5).
///
/// The caller appends what it receives to one buffer and calls ``next(_:)`` until it returns nil. Nothing is consumed
/// twice, and text is validated as it trickles in, so an invalid octet fails the connection before its frame is
/// complete (§8.1). A plain value, confined to its connection.
///
/// Memory: a declared length over the limit fails before its payload is buffered. A message that is one frame and ends
/// the buffer is a slice of it; one that more bytes follow is copied out, since a slice kept by the session would make
/// unmasking of the rest copy the whole buffer, once for each frame in it. Fragments are merged into one buffer, so a
/// fragment costs its bytes and no more (attack 16).
public struct WebSocketParser: Sendable {
    private enum State: Sendable {
        case header
        case payload(WebSocketFrameHeader)
        /// After a close frame or a failure: whatever follows is discarded.
        case finished
    }

    private let limits: WebSocketLimits
    private let role: WebSocketRole
    private let allowsCompression: Bool
    private var state = State.header
    /// Bytes of the current payload that are already unmasked, and validated if they are text.
    private var processed = 0
    /// The kind of the message that fragments are gathered for; nil outside a fragmented message.
    private var messageOpcode: WebSocketOpcode?
    private var isMessageCompressed = false
    private var fragments = 0
    private var assembled = ByteBuffer()
    private var validator = UTF8Validator()

    /// - Parameter allowsCompression: whether permessage-deflate has been agreed on; without it RSV1 is a failure.
    public init(limits: WebSocketLimits = WebSocketLimits(), role: WebSocketRole = .server, allowsCompression: Bool = false) {
        self.limits = limits
        self.role = role
        self.allowsCompression = allowsCompression
    }

    /// True after a close frame or a failure: what else arrives is discarded.
    public var isFinished: Bool {
        if case .finished = state { true } else { false }
    }

    /// Bytes held for a message whose last fragment has not come.
    public var assembledBytes: Int { assembled.readableBytes }

    /// Takes bytes off the front of `buffer` until a message or a control frame is whole; nil when more are needed.
    ///
    /// - Throws: the failure, once. Afterwards, as after a close frame, all bytes are discarded.
    public mutating func next(_ buffer: inout ByteBuffer) throws(WebSocketFailure) -> WebSocketEvent? {
        do throws(WebSocketFailure) {
            return try step(&buffer)
        } catch {
            finish()
            buffer = ByteBuffer()
            throw error
        }
    }

    private mutating func step(_ buffer: inout ByteBuffer) throws(WebSocketFailure) -> WebSocketEvent? {
        while true {
            switch state {
            case .header:
                guard let header = try WebSocketFrameHeader.read(from: &buffer, role: role, allowsCompression: allowsCompression)
                else { return nil }
                try begin(header)
                state = .payload(header)
                processed = 0
            case .payload(let header):
                guard let payload = try readPayload(header, from: &buffer) else { return nil }
                state = .header
                if let event = try end(header, payload) { return event }
            case .finished:
                buffer = ByteBuffer()
                return nil
            }
        }
    }

    /// Judges a header by what came before it.
    private mutating func begin(_ header: WebSocketFrameHeader) throws(WebSocketFailure) {
        guard !header.opcode.isControl else { return }
        if header.opcode == .continuation {
            guard messageOpcode != nil else { throw .unexpectedContinuation }
        } else {
            guard messageOpcode == nil else { throw .continuationExpected }
            validator = UTF8Validator()
            isMessageCompressed = header.isCompressed
            if !header.isFinal {
                messageOpcode = header.opcode
                fragments = 0
            }
        }
        guard header.length <= limits.messageBytes - assembled.readableBytes else { throw .messageTooBig }
        if messageOpcode != nil {
            fragments += 1
            guard fragments <= limits.fragments else { throw .tooManyFragments }
        }
    }

    /// Whether the payload is text as it stands. What a compressed message says is seen when it is expanded.
    private func isText(_ header: WebSocketFrameHeader) -> Bool {
        guard !isMessageCompressed else { return false }
        return header.opcode == .text || (header.opcode == .continuation && messageOpcode == .text)
    }

    // MARK: Payload

    /// The unmasked, validated payload once all of it is there.
    private mutating func readPayload(
        _ header: WebSocketFrameHeader, from buffer: inout ByteBuffer
    ) throws(WebSocketFailure) -> ByteBuffer? {
        let available = min(buffer.readableBytes, header.length)
        if available < header.length {
            // Control frames are short: they are looked at when they are whole.
            if !header.opcode.isControl, available > processed { try process(header, upTo: available, of: &buffer) }
            return nil
        }
        guard header.length > 0 else { return ByteBuffer() }
        let payload: ByteBuffer
        if processed == 0, let mask = header.mask, buffer.readableBytes > header.length || !buffer.isUniquelyOwned() {
            payload = Self.unmaskedCopy(of: header.length, from: &buffer, mask)
            if isText(header) { try validate(payload, from: 0, count: header.length) }
        } else {
            if processed < header.length { try process(header, upTo: header.length, of: &buffer) }
            payload = takeProcessed(header, from: &buffer)
        }
        // An empty buffer that still shares the message's storage would make the next read copy it.
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        return payload
    }

    /// Unmasks the payload bytes from `processed` to `end` where they are, and validates them if they are text.
    private mutating func process(
        _ header: WebSocketFrameHeader, upTo end: Int, of buffer: inout ByteBuffer
    ) throws(WebSocketFailure) {
        if let mask = header.mask {
            if !buffer.isUniquelyOwned() {
                // Writing to shared storage would copy its whole capacity; only what is readable is worth a copy.
                buffer = buffer.withUnsafeReadableBytes { ByteBuffer(bytes: $0) }
            }
            let start = processed
            buffer.withUnsafeMutableReadableBytes { bytes in
                mask.apply(to: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end]), offset: start)
            }
        }
        if isText(header) { try validate(buffer, from: processed, count: end - processed) }
        processed = end
    }

    private mutating func validate(_ buffer: ByteBuffer, from offset: Int, count: Int) throws(WebSocketFailure) {
        let isValid = buffer.withUnsafeReadableBytes { bytes in
            validator.consume(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
        }
        guard isValid else { throw .invalidUTF8 }
    }

    /// Cuts a processed payload off the buffer. Whichever is shorter, the payload or the rest, moves to storage of its own.
    private func takeProcessed(_ header: WebSocketFrameHeader, from buffer: inout ByteBuffer) -> ByteBuffer {
        let rest = buffer.readableBytes - header.length
        guard rest > 0, header.mask != nil else { return buffer.readSlice(length: header.length) ?? ByteBuffer() }
        if header.length <= rest {
            let payload = buffer.withUnsafeReadableBytes { ByteBuffer(bytes: $0.prefix(header.length)) }
            buffer.moveReaderIndex(forwardBy: header.length)
            return payload
        }
        let payload = buffer.readSlice(length: header.length) ?? ByteBuffer()
        buffer = buffer.withUnsafeReadableBytes { ByteBuffer(bytes: $0) }
        return payload
    }

    private static func unmaskedCopy(of length: Int, from buffer: inout ByteBuffer, _ mask: WebSocketMask) -> ByteBuffer {
        var payload = ByteBufferAllocator().buffer(capacity: length)
        buffer.withUnsafeReadableBytes { source in
            guard let source = source.baseAddress else { return }
            _ = payload.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
                guard let target = target.baseAddress else { return 0 }
                mask.apply(from: source, to: target, count: length, offset: 0)
                return length
            }
        }
        buffer.moveReaderIndex(forwardBy: length)
        return payload
    }

    // MARK: Messages

    /// What a whole frame amounts to; nil for a fragment that does not end its message.
    private mutating func end(_ header: WebSocketFrameHeader, _ payload: ByteBuffer) throws(WebSocketFailure) -> WebSocketEvent? {
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close:
            let event = try WebSocketClosePayload.parse(payload)
            finish()
            return event
        case .text where header.isFinal && isMessageCompressed, .binary where header.isFinal && isMessageCompressed:
            return .deflated(payload, isText: header.opcode == .text)
        case .text where header.isFinal:
            guard validator.isComplete else { throw .invalidUTF8 }
            return .text(payload)
        case .binary where header.isFinal:
            return .binary(payload)
        case .text, .binary, .continuation:
            assembled.writeImmutableBuffer(payload)
            return header.isFinal ? try endMessage() : nil
        }
    }

    private mutating func endMessage() throws(WebSocketFailure) -> WebSocketEvent {
        let isText = messageOpcode == .text
        let message = assembled
        messageOpcode = nil
        assembled = ByteBuffer()
        guard !isMessageCompressed else { return .deflated(message, isText: isText) }
        guard isText else { return .binary(message) }
        guard validator.isComplete else { throw .invalidUTF8 }
        return .text(message)
    }

    private mutating func finish() {
        state = .finished
        messageOpcode = nil
        assembled = ByteBuffer()
    }
}

extension ByteBuffer {
    /// True when no other buffer shares the storage, so that writing copies nothing.
    fileprivate mutating func isUniquelyOwned() -> Bool {
        modifyIfUniquelyOwned { _ in true } ?? false
    }
}
