/// Splits a stream of bytes into frames: a length of four bytes, big-endian, and as many bytes of body.
///
/// A value of its own, without a clock. It holds at most one frame, and memory only for bytes that have come: a length
/// alone reserves nothing.
struct FrameDecoder: Sendable {
    private let bodyMax: Int
    private var length: UInt32 = 0
    private var lengthBytes = 0
    private var body: [UInt8] = []
    /// Whole frames so far.
    private(set) var frames = 0

    init(bodyMax: Int) { self.bodyMax = bodyMax }

    /// A frame has begun and is not whole.
    var isMidFrame: Bool { lengthBytes > 0 }

    /// Bytes of memory that the half frame holds, for tests.
    var reserved: Int { body.capacity }

    /// Takes from the front of `input` what belongs to the next frame, and returns its body once it is whole.
    ///
    /// Nil means that all of `input` is taken and more is needed.
    /// - Throws: a violation for a length of zero or above the maximum; the decoder must not be used afterwards.
    mutating func next(from input: inout ArraySlice<UInt8>) throws(ChannelViolation) -> [UInt8]? {
        while lengthBytes < 4 {
            guard let byte = input.popFirst() else { return nil }
            length = length << 8 | UInt32(byte)
            lengthBytes += 1
            guard lengthBytes == 4 else { continue }
            guard length > 0 else { throw ChannelViolation(.frameLength, "a frame of no bytes") }
            guard length <= bodyMax else { throw ChannelViolation(.frameLength, "a frame of \(length) bytes; at most \(bodyMax)") }
        }
        let part = input.prefix(Int(length) - body.count)
        input = input.dropFirst(part.count)
        body += part
        guard body.count == Int(length) else { return nil }
        defer {
            body = []
            length = 0
            lengthBytes = 0
            frames += 1
        }
        return body
    }

    /// A body with its length in front. The caller has checked the body's size.
    static func frame(_ body: [UInt8]) -> [UInt8] {
        let length = UInt32(body.count)
        return [UInt8(truncatingIfNeeded: length >> 24), UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8)]
            + [UInt8(truncatingIfNeeded: length)] + body
    }
}
