public import NIOCore

/// The body of a polling request or response: packets in text form, joined by 0x1E (E23).
public enum PollingPayload {
    package static let separator: UInt8 = 0x1E

    /// Decodes a body. The packets before the first invalid one are returned together with its error (E23).
    ///
    /// The body's length is the caller's bound (E22); the number of packets is bounded here (E26).
    public static func decode(
        _ body: ByteBuffer, limits: WireLimits = WireLimits()
    ) -> (packets: [EngineIOPacket], failure: WireError?) {
        var packets: [EngineIOPacket] = []
        var rest = body
        while true {
            guard packets.count < limits.pollingPackets else { return (packets, .tooManyPackets) }
            let end = rest.withUnsafeReadableBytes { ByteScan.firstIndex(of: separator, in: $0) }
            let segment = rest.readSlice(length: end ?? rest.readableBytes) ?? ByteBuffer()
            do throws(WireError) {
                packets.append(try decode(segment: segment))
            } catch {
                return (packets, error)
            }
            guard end != nil else { return (packets, nil) }
            rest.moveReaderIndex(forwardBy: 1)
        }
    }

    private static func decode(segment: ByteBuffer) throws(WireError) -> EngineIOPacket {
        let isText = segment.withUnsafeReadableBytes { bytes in
            var validator = UTF8Validator()
            return validator.consume(bytes) && validator.isComplete
        }
        guard isText else { throw .invalidUTF8 }
        return try EngineIOCodec.decode(text: segment)
    }
}

/// Gathers the packets of one poll's answer up to a length, and says what did not fit (E27). A plain value.
public struct PollingPayloadEncoder: Sendable {
    /// The body so far.
    public private(set) var body = ByteBuffer()
    /// Bytes that the body should not exceed.
    public let limit: Int
    public private(set) var count = 0

    public init(limit: Int) {
        self.limit = limit
    }

    public var isEmpty: Bool { count == 0 }

    /// Appends the packet; false, and nothing happens, when it does not fit and must wait for the next poll.
    ///
    /// The first packet always fits: a packet that is alone longer than the limit could never leave otherwise.
    public mutating func append(_ packet: EngineIOPacket) -> Bool {
        let length = EngineIOCodec.encodedLength(of: packet)
        if count == 0 {
            body.reserveCapacity(length)
        } else {
            guard body.readableBytes + 1 + length <= limit else { return false }
            body.writeInteger(PollingPayload.separator)
        }
        EngineIOCodec.encode(packet, into: &body)
        count += 1
        return true
    }
}
