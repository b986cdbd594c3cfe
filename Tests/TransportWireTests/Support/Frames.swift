import NIOCore
import Testing

@testable import TransportWire

extension ByteBuffer {
    init(_ text: String) { self.init(string: text) }
    var text: String { String(buffer: self) }
    var array: [UInt8] { [UInt8](readableBytesView) }
}

/// A frame written octet by octet from RFC 6455 §5.2, as freely wrong as a test wants it.
struct RawFrame {
    enum LengthForm { case minimal, two, eight }

    var first: UInt8
    var payload: [UInt8] = []
    /// Nil leaves the frame unmasked.
    var mask: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]
    var lengthForm = LengthForm.minimal
    /// What the header says, if that is not the length of the payload.
    var declaredLength: UInt64?

    var bytes: [UInt8] {
        let length = declaredLength ?? UInt64(payload.count)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        var bytes = [first]
        let two = lengthForm == .two || (lengthForm == .minimal && length > 125 && length < 65_536)
        let eight = lengthForm == .eight || (lengthForm == .minimal && length > 65_535)
        if eight {
            bytes.append(maskBit | 127)
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: length >> UInt64(shift))) }
        } else if two {
            bytes += [maskBit | 126, UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)]
        } else {
            bytes.append(maskBit | UInt8(length))
        }
        guard let mask else { return bytes + payload }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    static func text(_ text: String, fin: Bool = true) -> [UInt8] { Self(first: fin ? 0x81 : 0x01, payload: Array(text.utf8)).bytes }
    static func text(_ octets: [UInt8], fin: Bool = true) -> [UInt8] { Self(first: fin ? 0x81 : 0x01, payload: octets).bytes }
    static func binary(_ octets: [UInt8], fin: Bool = true) -> [UInt8] { Self(first: fin ? 0x82 : 0x02, payload: octets).bytes }
    static func more(_ text: String, fin: Bool = true) -> [UInt8] { Self(first: fin ? 0x80 : 0x00, payload: Array(text.utf8)).bytes }
    static func more(_ octets: [UInt8], fin: Bool = true) -> [UInt8] { Self(first: fin ? 0x80 : 0x00, payload: octets).bytes }
    static func ping(_ octets: [UInt8] = []) -> [UInt8] { Self(first: 0x89, payload: octets).bytes }
    static func pong(_ octets: [UInt8] = []) -> [UInt8] { Self(first: 0x8A, payload: octets).bytes }
    static func close(_ octets: [UInt8] = []) -> [UInt8] { Self(first: 0x88, payload: octets).bytes }
    static func close(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] { close([UInt8(code >> 8), UInt8(code & 0xFF)] + reason) }
}

/// What a connection's parser made of its input.
struct ParserRun: Equatable {
    var events: [WebSocketEvent] = []
    var failure: WebSocketFailure?

    init(events: [WebSocketEvent] = [], failure: WebSocketFailure? = nil) {
        self.events = events
        self.failure = failure
    }

    /// Feeds the pieces as reads of one connection.
    init(
        _ pieces: [[UInt8]], limits: WebSocketLimits = WebSocketLimits(), role: WebSocketRole = .server, sharing: Bool = false,
        compressed: Bool = false
    ) {
        var parser = WebSocketParser(limits: limits, role: role, allowsCompression: compressed)
        var buffer = ByteBuffer()
        // What a channel that pools its read buffers does: somebody else holds the storage while it is parsed.
        var held: [ByteBuffer] = []
        for piece in pieces where failure == nil {
            let read = ByteBuffer(bytes: piece)
            if sharing { held.append(read) }
            if buffer.readableBytes == 0 { buffer = read } else { buffer.writeImmutableBuffer(read) }
            do throws(WebSocketFailure) {
                while let event = try parser.next(&buffer) { events.append(event) }
            } catch {
                failure = error
            }
        }
        for (piece, read) in zip(pieces, held) { #expect(read.array == piece, "the parser wrote into shared storage") }
    }

    init(_ bytes: [UInt8], limits: WebSocketLimits = WebSocketLimits(), role: WebSocketRole = .server) {
        self.init([bytes], limits: limits, role: role)
    }
}

/// Runs the input whole, octet by octet, in pieces of 997 octets, and shared; expects the same of all.
@discardableResult
func runEveryWay(
    _ bytes: [UInt8], limits: WebSocketLimits = WebSocketLimits(), role: WebSocketRole = .server,
    location: SourceLocation = #_sourceLocation
) -> ParserRun {
    let whole = ParserRun(bytes, limits: limits, role: role)
    let octets = ParserRun(bytes.map { [$0] }, limits: limits, role: role)
    #expect(octets == whole, "octet by octet differs", sourceLocation: location)
    let chops = stride(from: 0, to: bytes.count, by: 997).map { [UInt8](bytes[$0..<min(bytes.count, $0 + 997)]) }
    #expect(ParserRun(chops, limits: limits, role: role) == whole, "chopped differs", sourceLocation: location)
    #expect(ParserRun(chops, limits: limits, role: role, sharing: true) == whole, "shared differs", sourceLocation: location)
    return whole
}
