import JSON
import MessagePack
import NIOCore
import TransportWire

/// What a fuzzer may throw bytes at (attack 30). Each parser is held to more than not to crash: what it accepts must be
/// written back as the same, a limit must hold, and no split of the input may change the outcome.
enum FuzzTarget: String, CaseIterable {
    case frame, handshake, payload, payload3, packet, msgpack, json

    /// Traps where a promise is broken; returns for every input that is read or refused as it should be.
    func run(_ input: UnsafeBufferPointer<UInt8>) {
        let bytes = Array(input)
        switch self {
        case .frame: Self.frames(bytes)
        case .handshake: Self.handshake(bytes)
        case .payload: Self.payload(bytes)
        case .payload3: Self.payloadOfRevision3(bytes)
        case .packet: Self.packets(bytes)
        case .msgpack: Self.messagePack(bytes)
        case .json: Self.json(bytes)
        }
    }
}

// MARK: WebSocket

extension FuzzTarget {
    private struct Outcome: Equatable {
        var events: [WebSocketEvent] = []
        var failure: WebSocketFailure?

        init(_ pieces: [ArraySlice<UInt8>], _ role: WebSocketRole, compressed: Bool) {
            var parser = WebSocketParser(
                limits: WebSocketLimits(messageBytes: 4_096, fragments: 8), role: role, allowsCompression: compressed)
            var buffer = ByteBuffer()
            for piece in pieces where failure == nil {
                buffer.writeBytes(piece)
                do throws(WebSocketFailure) {
                    while let event = try parser.next(&buffer) { events.append(event) }
                } catch {
                    failure = error
                }
            }
        }
    }

    /// The first byte chooses the role, whether compression was agreed on, and where the input is cut.
    private static func frames(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return }
        let input = bytes.dropFirst()
        let role: WebSocketRole = choice & 1 == 0 ? .server : .client
        let whole = Outcome([input], role, compressed: choice & 2 != 0)
        let cut = input.startIndex + min(Int(choice >> 2), input.count)
        let halves = Outcome([input[..<cut], input[cut...]], role, compressed: choice & 2 != 0)
        precondition(whole == halves, "a split changes the outcome")
        if input.count <= 64 {
            precondition(whole == Outcome(input.indices.map { input[$0...$0] }, role, compressed: choice & 2 != 0), "octets differ")
        }
        for event in whole.events {
            switch event {
            case .text(let message), .binary(let message), .deflated(let message, _):
                precondition(message.readableBytes <= 4_096, "a message above its limit")
            case .ping(let payload), .pong(let payload): precondition(payload.readableBytes <= 125, "a control frame above 125 bytes")
            case .close: break
            }
        }
    }

    /// Lines of `name: value`.
    private static func handshake(_ bytes: [UInt8]) {
        let headers = bytes.split(separator: 0x0A).map { line in
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1].drop { $0 == 0x20 } : []
            return (String(decoding: parts[0], as: UTF8.self), String(decoding: value, as: UTF8.self))
        }
        let request = WebSocketUpgradeRequest(method: "GET", majorVersion: 1, minorVersion: 1, headers: headers)
        guard let accepted = try? WebSocketHandshake.accept(request, subprotocols: ["chat"], deflate: DeflatePolicy()) else { return }
        precondition(accepted.textToHash.utf8.count == 24 + 36, "a key that is none")
        precondition(accepted.subprotocol == nil || accepted.subprotocol == "chat", "a subprotocol that was not offered")
    }
}

// MARK: Engine.IO and Socket.IO

extension FuzzTarget {
    private static func payload(_ bytes: [UInt8]) {
        let (packets, failure) = PollingPayload.decode(ByteBuffer(bytes: bytes))
        var written: [UInt8] = []
        for packet in packets {
            if !written.isEmpty { written.append(PollingPayload.separator) }
            var one = ByteBuffer()
            EngineIOCodec.encode(packet, into: &one)
            precondition(one.readableBytes == EngineIOCodec.encodedLength(of: packet), "a length that lies")
            written += one.readableBytesView
        }
        precondition(failure == nil ? written == bytes : bytes.starts(with: written), "what was accepted is not what was sent")
    }

    /// The first byte says whether the rest is the byte form. Each list of packets has one text in each form.
    private static func payloadOfRevision3(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return }
        let (body, isBinary) = (ByteBuffer(bytes: bytes.dropFirst()), choice & 1 == 1)
        let (packets, failure) = PollingPayloadV3.decode(body, isBinary: isBinary)
        guard failure == nil else { return }
        var encoder = PollingPayloadV3Encoder(limit: .max, allowsBytes: isBinary)
        for packet in packets {
            if case .binary(let data) = packet {
                _ = encoder.append(data, isBinary: true)
            } else {
                var one = ByteBuffer()
                EngineIOCodec.encode(packet, into: &one)
                _ = encoder.append(one, isBinary: false)
            }
        }
        // Without a binary packet what is written is text.
        precondition(encoder.isBinary != isBinary || encoder.encode() == body, "what was accepted is not what was sent")
    }

    /// Messages parted by U+001E; one that begins with a zero byte is binary.
    private static func packets(_ bytes: [UInt8]) {
        let limits = WireLimits(attachments: 3, attachmentBytes: 256, namespaceBytes: 32)
        var decoder = SocketIODecoder(limits: limits)
        for message in bytes.split(separator: PollingPayload.separator) {
            let isBinary = message.first == 0
            let buffer = ByteBuffer(bytes: isBinary ? message.dropFirst() : message)
            let read: SocketIOPacket?
            do { read = try isBinary ? decoder.binary(buffer) : decoder.text(buffer) } catch { return }
            guard let packet = read else { continue }
            precondition(packet.namespace.utf8.count <= 32, "a namespace above its limit")
            let frames = SocketIOEncoder.encode(packet)
            precondition(frames.attachments.count <= 3, "attachments above their limit")
            var again = SocketIODecoder(limits: limits)
            var back = try? again.text(frames.text)
            for attachment in frames.attachments { back = try? again.binary(attachment) }
            precondition(back == packet, "a packet that is not read back")
        }
    }
}

// MARK: Values

extension FuzzTarget {
    private static func messagePack(_ bytes: [UInt8]) {
        if let packet = try? MessagePackPackets.decode(ByteBuffer(bytes: bytes)) {
            let again = try? MessagePackPackets.decode(ByteBuffer(bytes: MessagePackPackets.encode(packet)))
            precondition(again == packet, "a packet that is not read back")
        }
        guard let value = bytes.withUnsafeBytes({ try? MessagePackReader.read($0) }) else { return }
        let written = MessagePackWriter.bytes(of: value)
        let back = written.withUnsafeBytes { try? MessagePackReader.read($0) }
        precondition(back == value, "a value that is not read back")
    }

    private static func json(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(parsing: bytes) else { return }
        var writer = JSONWriter()
        writer.value(value)
        precondition((try? JSONValue(parsing: writer.bytes)) == value, "a value that is not read back")
    }
}
