internal import CZlib

/// Compresses messages one after the other as raw DEFLATE that ends at a byte (RFC 1951; RFC 7692 §7.2.1). Confined to its owner.
public final class RawDeflater {
    /// A third of the time of zlib's default, for about a tenth more bytes; what a stream of small messages wants.
    private static let level: CInt = 1
    private static let memoryLevel: CInt = 8

    private let stream: UnsafeMutablePointer<z_stream>
    private let forgets: Bool

    /// - Parameters:
    ///   - windowBits: from 9 to 15.
    ///   - forgets: whether each message is compressed as if it were the first.
    /// - Returns: nil when zlib has no memory.
    public init?(windowBits: Int, forgets: Bool) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        self.forgets = forgets
        guard kdcube_deflate_init(stream, Self.level, -CInt(windowBits), Self.memoryLevel) == Z_OK else { return nil }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// The bytes that one message of `length` bytes can become at most.
    public func bound(_ length: Int) -> Int { Int(deflateBound(stream, UInt(length))) + 16 }

    /// Compresses one message. What ends every flush, `00 00 FF FF`, is left out.
    ///
    /// - Parameter output: of at least ``bound(_:)`` bytes.
    /// - Returns: the number of bytes written; nil when they do not fit or zlib fails, after which the codec is of no more use unless it
    ///   forgets.
    public func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        guard let length = UInt32(exactly: input.count), let room = UInt32(exactly: output.count) else { return nil }
        if forgets { deflateReset(stream) }
        // zlib does not write to its input; its C type predates const.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = length
        stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = room
        guard deflate(stream, Z_SYNC_FLUSH) == Z_OK, stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 else { return nil }
        let written = output.count - Int(stream.pointee.avail_out)
        return written >= 4 ? written - 4 : nil
    }
}
