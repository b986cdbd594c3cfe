internal import CZlib

/// One-shot DEFLATE (RFC 1951) of a text that is in memory, with the system's zlib. Pure functions; any thread.
public enum Deflate {
    /// What is put around the compressed data.
    public enum Container: Sendable, Hashable, CaseIterable {
        /// RFC 1952, the content coding `gzip`.
        case gzip
        /// RFC 1950, the content coding `deflate` (RFC 9110 §8.4.1.2).
        case zlib
    }

    /// Favours time: level 1 takes a third of the time of the default level 6, for answers about a tenth larger.
    private static let level: CInt = 1
    /// 32 KiB, the largest that the format has.
    private static let windowBits: CInt = 15
    /// zlib's default: 128 KiB for the hash chains, for as long as the call lasts.
    private static let memoryLevel: CInt = 8

    /// Compresses `input` into `output`.
    ///
    /// - Returns: the number of bytes written; nil when they do not fit, which for an `output` as long as the `input`
    ///   means that compressing gains nothing.
    public static func compress(
        _ input: UnsafeRawBufferPointer, _ container: Container, into output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard let length = UInt32(exactly: input.count), let room = UInt32(exactly: output.count) else { return nil }
        var stream = z_stream()
        // zlib remembers where the stream is: it must not move between two calls.
        return withUnsafeMutablePointer(to: &stream) { stream in
            guard kdcube_deflate_init(stream, level, container == .gzip ? windowBits + 16 : windowBits, memoryLevel) == Z_OK else {
                return nil
            }
            defer { deflateEnd(stream) }
            // zlib does not write to its input; its C type predates const.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = length
            stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = room
            guard deflate(stream, Z_FINISH) == Z_STREAM_END else { return nil }
            return output.count - Int(stream.pointee.avail_out)
        }
    }

    /// Expands `input`, which is in `container`. For tests and tools.
    ///
    /// - Returns: nil when `input` is damaged or does not end with the data, or when there is more than `max` bytes of it.
    public static func expand(_ input: [UInt8], _ container: Container, max: Int) -> [UInt8]? {
        guard let length = UInt32(exactly: input.count), let room = UInt32(exactly: max) else { return nil }
        var stream = z_stream()
        return withUnsafeMutablePointer(to: &stream) { stream in
            guard kdcube_inflate_init(stream, container == .gzip ? windowBits + 16 : windowBits) == Z_OK else { return nil }
            defer { inflateEnd(stream) }
            var isWhole = false
            let expanded = [UInt8](unsafeUninitializedCapacity: max) { output, count in
                input.withUnsafeBufferPointer { input in
                    stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                    stream.pointee.avail_in = length
                    stream.pointee.next_out = output.baseAddress
                    stream.pointee.avail_out = room
                    isWhole = inflate(stream, Z_FINISH) == Z_STREAM_END && stream.pointee.avail_in == 0
                    count = max - Int(stream.pointee.avail_out)
                }
            }
            return isWhole ? expanded : nil
        }
    }
}
