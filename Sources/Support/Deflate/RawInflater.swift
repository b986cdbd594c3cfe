internal import CZlib

/// Expands messages that ``RawDeflater`` or a peer's like has compressed (RFC 7692 §7.2.2). Confined to its owner.
public final class RawInflater {
    /// Why a message cannot be expanded.
    public enum Failure: Error, Sendable, Hashable {
        case damaged
        /// It would be longer than the limit (attack 19): nothing beyond the limit was written.
        case tooLong
    }

    /// What the sender of each message has left out at its end (RFC 7692 §7.2.1).
    private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]
    private static let windowBytes = 1 << 15
    /// Streams that one message may be made of. A sender ends one with a flush; each costs a copy of the window, for two bytes.
    private static let restartsMax = 1_000

    private let stream: UnsafeMutablePointer<z_stream>
    private let forgets: Bool
    private var restarts = 0

    /// - Parameter forgets: whether each message is compressed as if it were the first.
    /// - Returns: nil when zlib has no memory.
    public init?(forgets: Bool) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        self.forgets = forgets
        // The largest window reads what any smaller one has written.
        guard kdcube_inflate_init(stream, -15) == Z_OK else { return nil }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Expands one whole message, piece by piece.
    ///
    /// - Parameters:
    ///   - scratch: where a piece is put before `take` sees it; not empty.
    ///   - max: bytes that the message may have.
    ///   - take: is given the pieces in their order.
    public func expand(
        _ input: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer, max: Int, _ take: (UnsafeRawBufferPointer) -> Void
    ) throws(Failure) {
        if forgets { inflateReset(stream) }
        restarts = 0
        var left = max
        try feed(input, scratch, &left, take)
        let failure = Self.tail.withUnsafeBytes { tail in
            do throws(Failure) {
                try feed(tail, scratch, &left, take)
                return Failure?.none
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    private func feed(
        _ input: UnsafeRawBufferPointer, _ scratch: UnsafeMutableRawBufferPointer, _ left: inout Int,
        _ take: (UnsafeRawBufferPointer) -> Void
    ) throws(Failure) {
        guard let length = UInt32(exactly: input.count) else { throw .tooLong }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = length
        while true {
            // One byte more than is allowed, so that what is just long enough is told from what is too long.
            let room = min(scratch.count, left + 1)
            stream.pointee.next_out = scratch.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(clamping: room)
            let status = inflate(stream, Z_SYNC_FLUSH)
            let written = room - Int(stream.pointee.avail_out)
            guard written <= left else { throw .tooLong }
            left -= written
            if written > 0 { take(UnsafeRawBufferPointer(rebasing: scratch[..<written])) }
            switch status {
            case Z_OK where stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0: continue
            // All is read, and nothing waits to be written.
            case Z_OK, Z_BUF_ERROR: return
            case Z_STREAM_END:
                // A block that says it is the last one ends no message (§7.2.3.5): what follows may refer to it all the same.
                try restart()
                if stream.pointee.avail_in == 0 { return }
            default: throw .damaged
            }
        }
    }

    /// Begins a new stream that knows what the one before had in its window.
    private func restart() throws(Failure) {
        restarts += 1
        guard restarts <= Self.restartsMax else { throw .damaged }
        guard !forgets else {
            inflateReset(stream)
            return
        }
        var window = [UInt8](repeating: 0, count: Self.windowBytes)
        var length: UInt32 = 0
        let hasWindow = inflateGetDictionary(stream, &window, &length) == Z_OK
        guard hasWindow, inflateReset(stream) == Z_OK, inflateSetDictionary(stream, &window, length) == Z_OK else { throw .damaged }
    }
}
