internal import Deflate
package import NIOCore
package import TransportWire

/// Compresses and expands the messages of WebSockets that agreed on permessage-deflate (RFC 7692). Confined to one event loop.
///
/// Connections without context share one codec of the loop: it costs a connection nothing. A frame that goes to many of them is compressed
/// once: the last one is remembered with what it became.
package final class SharedDeflate {
    private var deflaters: [Int: RawDeflater] = [:]
    private var inflater: RawInflater?
    /// Holds the frames themselves, so that nothing else can lie at their address.
    private var last: (frames: ByteBuffer, windowBits: Int, threshold: Int, compressed: ByteBuffer)?
    fileprivate let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)

    package init() {}

    deinit { scratch.deallocate() }

    fileprivate func deflater(_ windowBits: Int) -> RawDeflater? {
        if let known = deflaters[windowBits] { return known }
        let made = RawDeflater(windowBits: windowBits, forgets: true)
        deflaters[windowBits] = made
        return made
    }

    fileprivate func sharedInflater() -> RawInflater? {
        if inflater == nil { inflater = RawInflater(forgets: true) }
        return inflater
    }

    fileprivate func remembered(_ frames: ByteBuffer, _ windowBits: Int, _ threshold: Int) -> ByteBuffer? {
        guard let last, last.windowBits == windowBits, last.threshold == threshold, last.frames.isSameStorage(as: frames) else {
            return nil
        }
        return last.compressed
    }

    fileprivate func remember(_ frames: ByteBuffer, _ windowBits: Int, _ threshold: Int, _ compressed: ByteBuffer) {
        // A large one would be held until the next for little use.
        guard frames.readableBytes <= TransportLimits.rememberedFrameBytesMax else { return }
        last = (frames, windowBits, threshold, compressed)
    }
}

/// permessage-deflate of one connection. Confined to its loop.
package final class MessageDeflate {
    private let agreement: DeflateAgreement
    private let threshold: Int
    private let messageBytesMax: Int
    private let shared: SharedDeflate
    /// Set only where context is taken over.
    private var ownDeflater: RawDeflater?
    private var ownInflater: RawInflater?

    /// - Parameter messageBytesMax: bytes of an expanded message (attack 19).
    package init(_ agreement: DeflateAgreement, threshold: Int, messageBytesMax: Int, shared: SharedDeflate) {
        self.agreement = agreement
        self.threshold = threshold
        self.messageBytesMax = messageBytesMax
        self.shared = shared
    }

    /// Expands a message; text is validated.
    package func expand(_ message: ByteBuffer, isText: Bool) throws(WebSocketFailure) -> ByteBuffer {
        var inflater = shared.sharedInflater()
        if agreement.clientTakesContextOver {
            if ownInflater == nil { ownInflater = RawInflater(forgets: false) }
            inflater = ownInflater
        }
        guard let inflater else { throw .messageTooBig }
        var output = ByteBuffer()
        var validator = UTF8Validator()
        var isValid = true
        let failure = message.withUnsafeReadableBytes { input in
            do throws(RawInflater.Failure) {
                try inflater.expand(input, scratch: shared.scratch, max: messageBytesMax) { piece in
                    if isText { isValid = isValid && validator.consume(piece) }
                    output.writeBytes(piece)
                }
                return RawInflater.Failure?.none
            } catch {
                return error
            }
        }
        switch failure {
        case .tooLong: throw .messageTooBig
        case .damaged: throw .invalidCompressedData
        case nil: break
        }
        guard !isText || isValid && validator.isComplete else { throw .invalidUTF8 }
        return output
    }

    /// The same frames, with those compressed that are long enough and become shorter.
    ///
    /// - Parameter frames: whole frames of ``WebSocketFrameWriter``.
    package func compress(_ frames: ByteBuffer) -> ByteBuffer {
        guard frames.readableBytes > threshold else { return frames }
        let isShared = !agreement.serverTakesContextOver
        if isShared, let known = shared.remembered(frames, agreement.serverWindowBits, threshold) { return known }
        var output = ByteBuffer()
        var (rest, hasCompressed) = (frames, false)
        while true {
            let start = rest.readerIndex
            guard let frame = ServerFrames.next(&rest) else { break }
            if let payload = compressed(frame) {
                hasCompressed = true
                WebSocketFrameWriter.compressedHeader(frame.isBinary ? .binary : .text, length: payload.readableBytes, into: &output)
                output.writeImmutableBuffer(payload)
            } else if let whole = frames.getSlice(at: start, length: rest.readerIndex - start) {
                output.writeImmutableBuffer(whole)
            }
        }
        if !hasCompressed { output = frames }
        if isShared { shared.remember(frames, agreement.serverWindowBits, threshold, output) }
        return output
    }

    /// Nil for a frame that leaves as it is. A codec with a context has then not seen it.
    private func compressed(_ frame: ServerFrames.Frame) -> ByteBuffer? {
        guard !frame.isControl, frame.payload.readableBytes >= threshold else { return nil }
        var deflater = shared.deflater(agreement.serverWindowBits)
        if agreement.serverTakesContextOver {
            if ownDeflater == nil { ownDeflater = RawDeflater(windowBits: agreement.serverWindowBits, forgets: false) }
            deflater = ownDeflater
        }
        guard let deflater else { return nil }
        let room = deflater.bound(frame.payload.readableBytes)
        var output = ByteBufferAllocator().buffer(capacity: room)
        let written = frame.payload.withUnsafeReadableBytes { input in
            var written: Int?
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                written = deflater.compress(input, into: target)
                return written ?? 0
            }
            return written
        }
        guard written != nil else { return nil }
        // What a context has learnt the peer must learn as well, even where it gained nothing.
        return agreement.serverTakesContextOver || output.readableBytes < frame.payload.readableBytes ? output : nil
    }
}

extension ByteBuffer {
    /// Whether both are the same bytes of the same storage.
    fileprivate func isSameStorage(as other: ByteBuffer) -> Bool {
        guard readableBytes == other.readableBytes else { return false }
        return withUnsafeReadableBytes { mine in other.withUnsafeReadableBytes { mine.baseAddress == $0.baseAddress } }
    }
}
