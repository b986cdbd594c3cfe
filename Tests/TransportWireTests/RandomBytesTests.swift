import NIOCore
import Testing

@testable import TransportWire

/// Attack 30: every parser meets random bytes for a while, some of them chosen from its own alphabet so that it gets
/// beyond the first one. A failure prints the seed; ``seed`` then takes it.
@Suite("Attack 30: random bytes", .serialized)
struct RandomBytesTests {
    /// Long enough for some ten thousand inputs in an unoptimised build.
    private static let duration = Duration.milliseconds(300)
    private let seed = randomSeed()

    /// Runs `body` for ``duration``, and at least a hundred times.
    private func repeatedly(_ body: (inout SeededGenerator) throws -> Void) rethrows {
        var random = SeededGenerator(seed: seed)
        let end = ContinuousClock.now + Self.duration
        var count = 0
        while count < 100 || ContinuousClock.now < end {
            try body(&random)
            count += 1
        }
    }

    /// Uniform bytes, or bytes of `alphabet` with a few others among them.
    private func bytes(_ random: inout SeededGenerator, upTo max: Int, alphabet: [UInt8]) -> [UInt8] {
        let count = Int.random(in: 0...max, using: &random)
        guard Bool.random(using: &random) else { return random.bytes(count) }
        return (0..<count).map { _ in
            Int.random(in: 0..<16, using: &random) == 0
                ? UInt8.random(in: 0...255, using: &random) : alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
        }
    }

    @Test("Attack 30: frames: no split changes the outcome, no message exceeds its limit, and a failure is the last word")
    func frames() {
        let limits = WebSocketLimits(messageBytes: 200, fragments: 5)
        let alphabet: [UInt8] = [
            0x81, 0x82, 0xC1, 0xC2, 0x41, 0x01, 0x02, 0x80, 0x00, 0x88, 0x89, 0x8A, 0x85, 0x83, 0x80, 0xFE, 0xFF, 0x00, 0x03, 0xE8,
        ]
        for (role, compressed) in [(WebSocketRole.server, false), (.client, false), (.server, true)] {
            repeatedly { random in
                let input = bytes(&random, upTo: 300, alphabet: alphabet)
                let whole = ParserRun([input], limits: limits, role: role, compressed: compressed)
                let chopped = ParserRun(random.chop(input), limits: limits, role: role, compressed: compressed)
                #expect(chopped == whole, "seed \(seed), \(input)")
                for event in whole.events {
                    switch event {
                    case .text(let message), .binary(let message), .deflated(let message, _):
                        #expect(message.readableBytes <= 200, "seed \(seed), \(input)")
                    case .ping(let payload), .pong(let payload): #expect(payload.readableBytes <= 125, "seed \(seed), \(input)")
                    case .close: break
                    }
                }
                if whole.failure != nil {
                    let more = ParserRun([input, random.bytes(20)], limits: limits, role: role, compressed: compressed)
                    #expect(more == whole, "seed \(seed), \(input)")
                }
            }
        }
    }

    @Test("Attack 30: handshakes: whatever the fields hold, what is accepted names one key of 16 bytes and version 13")
    func handshakes() {
        let names = [
            "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions", "__proto__", "",
        ]
        let good = [
            ("Host", "h"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ]
        let alphabet = [UInt8]("websocketupgradeWS13 ,;=\t\"dGhlIHNhbXBsZSBub25jZQ==".utf8)
        var accepted = 0
        repeatedly { random in
            var headers = good.filter { _ in Int.random(in: 0..<12, using: &random) > 0 }
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let value = String(decoding: bytes(&random, upTo: 40, alphabet: alphabet), as: UTF8.self)
                headers.append((names[Int.random(in: 0..<names.count, using: &random)], value))
            }
            headers.shuffle(using: &random)
            let request = WebSocketUpgradeRequest(method: "GET", majorVersion: 1, minorVersion: 1, headers: headers.map { ($0.0, $0.1) })
            guard let acceptance = try? WebSocketHandshake.accept(request, subprotocols: ["websocket"], deflate: DeflatePolicy()) else {
                return
            }
            accepted += 1
            let keys = headers.filter { $0.0 == "Sec-WebSocket-Key" }
            #expect(keys.count == 1, "seed \(seed), \(headers)")
            #expect(acceptance.textToHash.hasSuffix("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), "seed \(seed), \(headers)")
            #expect(acceptance.textToHash.utf8.count == 24 + 36, "seed \(seed), \(headers)")
            #expect(headers.count { $0.0 == "Sec-WebSocket-Version" } == 1, "seed \(seed), \(headers)")
        }
        #expect(accepted > 0, "seed \(seed)")
    }

    @Test("Attack 30: polling bodies: what is accepted is written back as the same bytes, and damage loses only what follows it")
    func payloads() {
        let alphabet: [UInt8] = [0x1E, 0x1E, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x62, 0x41, 0x42, 0x3D, 0xC3, 0xA9]
        repeatedly { random in
            let body = bytes(&random, upTo: 60, alphabet: alphabet)
            let (packets, failure) = PollingPayload.decode(ByteBuffer(bytes: body))
            var written: [UInt8] = []
            for packet in packets {
                if !written.isEmpty { written.append(0x1E) }
                var one = ByteBuffer()
                EngineIOCodec.encode(packet, into: &one)
                #expect(one.readableBytes == EngineIOCodec.encodedLength(of: packet), "seed \(seed), \(body)")
                written += one.readableBytesView
            }
            #expect(failure == nil ? written == body : body.starts(with: written), "seed \(seed), \(body)")
        }
    }

    @Test(
        "Attack 30: polling bodies of revision 3: what is accepted is read again when it is written, and damage loses only what follows it")
    func payloads3() {
        let texts = [UInt8]("0123456789:::4b=AQä😀".utf8)
        let octets: [UInt8] = [0, 0, 1, 1, 2, 3, 4, 5, 0xFF, 0xFF, 0xFF, 4, 0x34, 0x62, 0x36, 0xC3, 0xA9]
        for (isBinary, alphabet) in [(false, texts), (true, octets)] {
            repeatedly { random in
                // Bytes of any kind, or a good body with some damage.
                var body = bytes(&random, upTo: 40, alphabet: alphabet)
                if Bool.random(using: &random) {
                    body = payload3(&random, allowsBytes: isBinary)
                    for _ in 0..<Int.random(in: 0...2, using: &random) {
                        body[Int.random(in: 0..<body.count, using: &random)] = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                    }
                }
                let (packets, failure) = PollingPayloadV3.decode(ByteBuffer(bytes: body), isBinary: isBinary)
                var encoder = PollingPayloadV3Encoder(limit: 10_000, allowsBytes: isBinary)
                for packet in packets { _ = encoder.append(packet: packet) }
                #expect(encoder.count == packets.count, "seed \(seed), \(body)")
                let written = encoder.encode()
                guard !packets.isEmpty else {
                    #expect(failure != nil, "seed \(seed), \(body)")
                    return
                }
                let again = PollingPayloadV3.decode(written, isBinary: encoder.isBinary)
                #expect(again.failure == nil && again.packets == packets, "seed \(seed), \(body)")
                // Every list of packets has one text.
                if !isBinary { #expect(failure == nil ? written.array == body : body.starts(with: written.array), "seed \(seed), \(body)") }
            }
        }
    }

    /// A body of one to four packets.
    private func payload3(_ random: inout SeededGenerator, allowsBytes: Bool) -> [UInt8] {
        var encoder = PollingPayloadV3Encoder(limit: 10_000, allowsBytes: allowsBytes)
        for _ in 0...Int.random(in: 0...3, using: &random) {
            let count = Int.random(in: 0...12, using: &random)
            let characters = ["a", "ä", "€", "😀"]
            let text = (0..<count).map { _ in characters[Int.random(in: 0..<4, using: &random)] }.joined()
            _ = encoder.append(
                packet: Bool.random(using: &random) ? .message(ByteBuffer(text)) : .binary(ByteBuffer(bytes: random.bytes(count))))
        }
        // A body of bytes even when nothing in it is binary.
        return encoder.isBinary || !allowsBytes ? encoder.encode().array : [0, 1, 255, 0x36]
    }

    @Test("Attack 30: messages of revision 3: a text or a binary is refused, or is that of the packet that it gave") func packets3() {
        repeatedly { random in
            let message = bytes(&random, upTo: 24, alphabet: [UInt8]("0123456b44444/+AQIDBA=probe".utf8) + [4, 4, 4])
            if case .binary(let data)? = try? EngineIOCodec.decode(binary: ByteBuffer(bytes: message), revision: .three) {
                #expect([4] + data.array == message, "seed \(seed), \(message)")
            }
            guard let packet = try? EngineIOCodec.decode(text: ByteBuffer(bytes: message), revision: .three) else { return }
            var written = ByteBuffer()
            EngineIOCodec.encode(packet, into: &written)
            var expected = message
            if case .binary = packet { expected.remove(at: 1) }
            #expect(written.array == expected, "seed \(seed), \(message)")
        }
    }

    @Test("Attack 30: Engine.IO packets: a text is refused, or is the text of the packet that it gave") func packets() {
        repeatedly { random in
            let text = bytes(&random, upTo: 24, alphabet: [UInt8]("0123456b/+AQIDBA=probe".utf8))
            guard let packet = try? EngineIOCodec.decode(text: ByteBuffer(bytes: text)) else { return }
            var written = ByteBuffer()
            EngineIOCodec.encode(packet, into: &written)
            #expect(Array(written.readableBytesView) == text, "seed \(seed), \(text)")
        }
    }

    @Test("Attack 30: Socket.IO packets: what is accepted survives a round trip, with what it holds bounded") func socketPackets() {
        let alphabet = [UInt8](#"0123456-/,[]{}":_placeholdernumtrue.eE "#.utf8)
        let limits = WireLimits(attachments: 3, attachmentBytes: 64, namespaceBytes: 16)
        repeatedly { random in
            var decoder = SocketIODecoder(limits: limits)
            for _ in 0..<8 {
                let message = ByteBuffer(bytes: bytes(&random, upTo: 48, alphabet: alphabet))
                let isBinary = Int.random(in: 0..<4, using: &random) == 0
                guard let packet = try? isBinary ? decoder.binary(message) : decoder.text(message) else { return }
                #expect(packet.namespace.utf8.count <= 16, "seed \(seed)")
                let frames = SocketIOEncoder.encode(packet)
                var again = SocketIODecoder(limits: limits)
                var read = try? again.text(frames.text)
                for attachment in frames.attachments { read = try? again.binary(attachment) }
                #expect(read == packet, "seed \(seed), \(String(buffer: message))")
            }
        }
    }

    @Test("Attack 30: masks, UTF-8 and base64 agree with a plain account of them") func primitives() {
        repeatedly { random in
            let input = bytes(&random, upTo: 50, alphabet: [0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80, 0x41])
            var validator = UTF8Validator()
            let isText = input.withUnsafeBytes { validator.consume($0) } && validator.isComplete
            #expect(isText == (String(validating: input, as: UTF8.self) != nil), "seed \(seed), \(input)")
            var encoded = ByteBuffer()
            Base64.encode(ByteBuffer(bytes: input), into: &encoded)
            #expect(Base64.decode(encoded).map { Array($0.readableBytesView) } == input, "seed \(seed), \(input)")
            let text = bytes(&random, upTo: 16, alphabet: [UInt8]("ABCD+/=".utf8))
            guard let decoded = Base64.decode(ByteBuffer(bytes: text)) else { return }
            var back = ByteBuffer()
            Base64.encode(decoded, into: &back)
            #expect(Array(back.readableBytesView) == text, "seed \(seed), \(text)")
        }
    }

    @Test(
        "Attack 4: a Socket.IO packet of the largest size is read in time proportional to its length",
        arguments: [
            #"[0,"x"],"#, #"{"a":"b"},"#, #""\u00e9\n","#, "1.5e3,",
        ])
    func largestPacket(_ piece: String) throws {
        func time(_ bytes: Int) throws -> Duration {
            let text = #"2["x","# + String(repeating: piece, count: bytes / piece.utf8.count) + "null]"
            var decoder = SocketIODecoder()
            let buffer = ByteBuffer(string: text)
            var packet: SocketIOPacket?
            let elapsed = try ContinuousClock().measure { packet = try decoder.text(buffer) }
            #expect(packet?.kind == .event)
            return elapsed
        }
        _ = try time(10_000)
        let small = try time(62_500)
        // The best of three: the machine may stand still in one of them.
        let large = try min(time(1_000_000), time(1_000_000), time(1_000_000))
        // Sixteen times the bytes; quadratic work would take 256 times as long. A busy machine is allowed for.
        #expect(large < small * 80 + .milliseconds(200), "\(small) and \(large)")
    }
}
