public import NIOCore

/// The body of a polling request or response in revision 3 (L3): packets with their lengths, as text
/// (`6:4hello10:b4AQIDBA==`) or as bytes.
///
/// A length counts UTF-16 code units in the text form and bytes in the other. It is written without leading zeros and
/// counts the type as well, so it is never zero: every list of packets has one text and one byte form.
public enum PollingPayloadV3 {
    static let colon = UInt8(ascii: ":")
    /// What begins a packet of the byte form.
    static let textMark: UInt8 = 0
    static let binaryMark: UInt8 = 1
    /// What ends a length of the byte form.
    static let lengthEnd: UInt8 = 0xFF

    /// Decodes a body. The packets before the first invalid one are returned together with its error (E23).
    ///
    /// The body's length is the caller's bound (E22); the number of packets is bounded here (E26). Packets are slices of the
    /// body, and a length that exceeds what is left of it is refused at the digit that makes it so.
    ///
    /// - Parameter isBinary: the byte form, which comes as `application/octet-stream`.
    public static func decode(
        _ body: ByteBuffer, isBinary: Bool, limits: WireLimits = WireLimits()
    ) -> (packets: [EngineIOPacket], failure: WireError?) {
        var packets: [EngineIOPacket] = []
        var rest = body
        repeat {
            guard packets.count < limits.pollingPackets else { return (packets, .tooManyPackets) }
            do throws(WireError) {
                packets.append(try isBinary ? nextOfBytes(&rest) : nextOfText(&rest))
            } catch {
                return (packets, error)
            }
        } while rest.readableBytes > 0
        return (packets, nil)
    }

    private static func nextOfText(_ rest: inout ByteBuffer) throws(WireError) -> EngineIOPacket {
        let units = try length(&rest, end: colon, zero: UInt8(ascii: "0"))
        let bytes = rest.withUnsafeReadableBytes { UTF16Length.prefix(of: units, in: $0) }
        guard let bytes, let packet = rest.readSlice(length: bytes) else { throw .invalidLength }
        return try text(packet)
    }

    private static func nextOfBytes(_ rest: inout ByteBuffer) throws(WireError) -> EngineIOPacket {
        guard let mark = rest.readInteger(as: UInt8.self) else { throw .emptyPacket }
        guard mark == textMark || mark == binaryMark else { throw .unknownPacketType(mark) }
        let count = try length(&rest, end: lengthEnd, zero: 0)
        guard let packet = rest.readSlice(length: count) else { throw .invalidLength }
        return try mark == textMark ? text(packet) : EngineIOCodec.decode(binary: packet, revision: .three)
    }

    private static func text(_ packet: ByteBuffer) throws(WireError) -> EngineIOPacket {
        let isText = packet.withUnsafeReadableBytes { bytes in
            var validator = UTF8Validator()
            return validator.consume(bytes) && validator.isComplete
        }
        guard isText else { throw .invalidUTF8 }
        return try EngineIOCodec.decode(text: packet, revision: .three)
    }

    /// A decimal number, `zero` being its first digit, and the byte behind it. A packet has at least one byte a unit, so a
    /// number that exceeds the bytes that are left is a lie: the loop ends before it could overflow.
    private static func length(_ rest: inout ByteBuffer, end: UInt8, zero: UInt8) throws(WireError) -> Int {
        guard rest.readableBytes > 0 else { throw .emptyPacket }
        var length = 0
        while let byte = rest.readInteger(as: UInt8.self) {
            if byte == end {
                guard length > 0 else { throw .emptyPacket }
                return length
            }
            let digit = byte &- zero
            guard digit < 10, digit > 0 || length > 0 else { throw .invalidLength }
            length = length * 10 + Int(digit)
            guard length <= rest.readableBytes else { throw .invalidLength }
        }
        throw .invalidLength
    }
}

/// Gathers the packets of one poll's answer up to a length, and says what did not fit (E27, L3). A plain value.
///
/// The byte form is taken when the client can read it and a packet is binary, as in the reference; the text form else.
public struct PollingPayloadV3Encoder: Sendable {
    private struct Piece {
        let data: ByteBuffer
        let isBinary: Bool
        /// UTF-16 code units of the text form.
        let units: Int

        init(_ data: ByteBuffer, isBinary: Bool) {
            self.data = data
            self.isBinary = isBinary
            units = isBinary ? 2 + Base64.encodedLength(of: data.readableBytes) : data.withUnsafeReadableBytes { UTF16Length.count(of: $0) }
        }

        var bytesLength: Int { (isBinary ? 1 : 0) + data.readableBytes }
        var textSize: Int { decimalDigits(units) + 1 + (isBinary ? units : data.readableBytes) }
        var bytesSize: Int { 2 + decimalDigits(bytesLength) + bytesLength }
    }

    /// Bytes that the body should not exceed.
    public let limit: Int
    /// The client reads the byte form: it did not ask for `b64=1`.
    public let allowsBytes: Bool
    private var pieces: [Piece] = []
    private var textSize = 0
    private var bytesSize = 0
    private var hasBinary = false

    public init(limit: Int, allowsBytes: Bool) {
        self.limit = limit
        self.allowsBytes = allowsBytes
    }

    public var count: Int { pieces.count }
    public var isEmpty: Bool { pieces.isEmpty }
    /// True when ``encode()`` gives the byte form.
    public var isBinary: Bool { allowsBytes && hasBinary }

    /// Adds a packet: the type digit and the data of a text packet, or the data alone of a binary message. False, and
    /// nothing happens, when it does not fit and must wait for the next poll. The first packet always fits.
    public mutating func append(_ data: ByteBuffer, isBinary: Bool) -> Bool {
        let piece = Piece(data, isBinary: isBinary)
        let size = allowsBytes && (hasBinary || isBinary) ? bytesSize + piece.bytesSize : textSize + piece.textSize
        guard pieces.isEmpty || size <= limit else { return false }
        pieces.append(piece)
        textSize += piece.textSize
        bytesSize += piece.bytesSize
        if isBinary { hasBinary = true }
        return true
    }

    /// The body.
    public func encode() -> ByteBuffer {
        var output = ByteBufferAllocator().buffer(capacity: isBinary ? bytesSize : textSize)
        for piece in pieces {
            if isBinary { writeBytes(piece, into: &output) } else { writeText(piece, into: &output) }
        }
        return output
    }

    private func writeText(_ piece: Piece, into output: inout ByteBuffer) {
        output.writeString(String(piece.units))
        output.writeInteger(PollingPayloadV3.colon)
        if piece.isBinary {
            output.writeMultipleIntegers(UInt8(ascii: "b"), UInt8(ascii: "4"))
            Base64.encode(piece.data, into: &output)
        } else {
            output.writeImmutableBuffer(piece.data)
        }
    }

    private func writeBytes(_ piece: Piece, into output: inout ByteBuffer) {
        output.writeInteger(piece.isBinary ? PollingPayloadV3.binaryMark : PollingPayloadV3.textMark)
        for digit in String(piece.bytesLength).utf8 { output.writeInteger(digit - UInt8(ascii: "0")) }
        output.writeInteger(PollingPayloadV3.lengthEnd)
        if piece.isBinary { output.writeInteger(EngineIOCodec.binaryMessageType) }
        output.writeImmutableBuffer(piece.data)
    }
}

private func decimalDigits(_ number: Int) -> Int {
    var digits = 1
    var rest = number / 10
    while rest > 0 {
        digits += 1
        rest /= 10
    }
    return digits
}

/// Lengths of UTF-8 text in UTF-16 code units. Bytes that are not UTF-8 give some number and never an access out of range.
enum UTF16Length {
    /// Continuation bytes count nothing, first bytes of four-byte characters two: a surrogate pair.
    static func count(of bytes: UnsafeRawBufferPointer) -> Int {
        var units = 0
        for byte in bytes { units += (byte & 0xC0 == 0x80 ? 0 : 1) + (byte >= 0xF0 ? 1 : 0) }
        return units
    }

    /// The bytes of the shortest prefix with `units` code units; nil when there is none, because the bytes end before or a
    /// character would be cut between its surrogates.
    static func prefix(of units: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        var left = units
        var index = 0
        while left > 0, index < bytes.count {
            switch bytes[index] {
            case ..<0x80:
                index += 1
                left -= 1
            case ..<0xE0:
                index += 2
                left -= 1
            case ..<0xF0:
                index += 3
                left -= 1
            default:
                index += 4
                left -= 2
            }
        }
        return left == 0 && index <= bytes.count ? index : nil
    }
}
