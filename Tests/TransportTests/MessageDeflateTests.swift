import JSON
import NIOCore
import Testing

@testable import Transport
@testable import TransportWire

/// RFC 7692 §7.2: bytes that are compressed and expanded, and what a connection makes of them.
@Suite("permessage-deflate") struct MessageDeflateTests {
    private static func codec(
        _ offer: String = "permessage-deflate", takesOver: Bool = false, threshold: Int = 0, max: Int = 1_000_000, shared: SharedDeflate
    ) throws -> MessageDeflate {
        let policy = DeflatePolicy(serverTakesContextOver: takesOver, clientTakesContextOver: takesOver, threshold: threshold)
        let offers = try #require(ExtensionOffer.parse([offer]))
        let agreement = try #require(DeflateAgreement.choose(among: offers, under: policy))
        return MessageDeflate(agreement, threshold: threshold, messageBytesMax: max, shared: shared)
    }

    private static func failure(_ body: () throws(WebSocketFailure) -> ByteBuffer) -> WebSocketFailure? {
        do throws(WebSocketFailure) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    /// The messages in frames that a codec gave, expanded by `codec`.
    private static func messages(_ frames: ByteBuffer, _ codec: MessageDeflate) throws -> [String] {
        var (parser, rest, texts) = (WebSocketParser(role: .client, allowsCompression: true), frames, [String]())
        while let event = try parser.next(&rest) {
            switch event {
            case .text(let text): texts.append(String(buffer: text))
            case .deflated(let message, let isText): texts.append(String(buffer: try codec.expand(message, isText: isText)))
            default: Issue.record("unexpected \(event)")
            }
        }
        return texts
    }

    @Test(
        "§7.2.3: the RFC's own examples",
        arguments: [
            // One block with fixed codes, a block that is not compressed, a final block, two blocks.
            [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
            [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
        ])
    func examples(bytes: [Int]) throws {
        for takesOver in [false, true] {
            let codec = try Self.codec(takesOver: takesOver, shared: SharedDeflate())
            let message = ByteBuffer(bytes: bytes.map { UInt8($0) })
            #expect(String(buffer: try codec.expand(message, isText: true)) == "Hello")
            #expect(String(buffer: try codec.expand(message, isText: true)) == "Hello")
            #expect(try codec.expand(ByteBuffer(bytes: [0x00]), isText: true).readableBytes == 0)
        }
    }

    @Test("§7.2.3.2: with a context a second message refers to the first, across a final block too; without one that is damage")
    func contexts() throws {
        let again = ByteBuffer(bytes: [0xF2, 0x00, 0x11, 0x00, 0x00])
        for first: [UInt8] in [[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]] {
            let keeping = try Self.codec(takesOver: true, shared: SharedDeflate())
            _ = try keeping.expand(ByteBuffer(bytes: first), isText: true)
            #expect(String(buffer: try keeping.expand(again, isText: true)) == "Hello")
        }
        let forgetting = try Self.codec(shared: SharedDeflate())
        _ = try forgetting.expand(ByteBuffer(bytes: [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]), isText: true)
        #expect(Self.failure { () throws(WebSocketFailure) in try forgetting.expand(again, isText: true) } == .invalidCompressedData)
    }

    @Test("Attack 19: what expands beyond the limit ends at the limit, and text is still checked")
    func bomb() throws {
        let shared = SharedDeflate()
        let zeros = ByteBuffer(repeating: UInt8(ascii: "0"), count: 8 << 20)
        let sender = try Self.codec(shared: shared)
        var frame = sender.compress(WebSocketFrameWriter.frame(.text, payload: zeros))
        #expect(frame.readableBytes < 64 << 10)
        var parser = WebSocketParser(role: .client, allowsCompression: true)
        guard case .deflated(let bomb, true)? = try parser.next(&frame) else { return #expect(Bool(false), "not compressed") }
        let small = try Self.codec(max: (8 << 20) - 1, shared: shared)
        #expect(Self.failure { () throws(WebSocketFailure) in try small.expand(bomb, isText: true) } == .messageTooBig)
        #expect(try Self.codec(max: 8 << 20, shared: shared).expand(bomb, isText: true).readableBytes == 8 << 20)
        // "\xFF" as a block that is not compressed.
        let bad = ByteBuffer(bytes: [0x00, 0x01, 0x00, 0xFE, 0xFF, 0xFF, 0x00])
        #expect(Self.failure { () throws(WebSocketFailure) in try small.expand(bad, isText: true) } == .invalidUTF8)
        #expect(try small.expand(bad, isText: false) == ByteBuffer(bytes: [0xFF]))
        for junk: [UInt8] in [[0xFF], [0x07], [0xF2, 0x48, 0xCD]] + (0..<50).map({ _ in (0..<40).map { _ in .random(in: 0...255) } }) {
            _ = Self.failure { () throws(WebSocketFailure) in try small.expand(ByteBuffer(bytes: junk), isText: false) }
        }
        #expect(String(buffer: try small.expand(ByteBuffer(bytes: [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]), isText: true)) == "Hello")
    }

    @Test("every window and both contexts: what is compressed is expanded to the same, and short frames stay as they are")
    func roundTrips() throws {
        var random = SystemRandomNumberGenerator()
        let texts = [
            "", "x", String(repeating: "a token and ", count: 40),
            (0..<3_000).map { _ in String(Int.random(in: 0...9_999, using: &random)) }.joined(separator: ","),
        ]
        for bits in 9...15 {
            for takesOver in [false, true] {
                let shared = SharedDeflate()
                let codec = try Self.codec("permessage-deflate; server_max_window_bits=\(bits)", takesOver: takesOver, shared: shared)
                for _ in 0..<3 {
                    var frames = ByteBuffer()
                    for text in texts { WebSocketFrameWriter.frame(.text, payload: ByteBuffer(string: text), into: &frames) }
                    let compressed = codec.compress(frames)
                    #expect(compressed.readableBytes < frames.readableBytes)
                    #expect(try Self.messages(compressed, codec) == texts)
                }
            }
        }
        let above = try Self.codec(threshold: 200, shared: SharedDeflate())
        let short = WebSocketFrameWriter.frame(.text, payload: ByteBuffer(string: String(repeating: "a", count: 199)))
        let ping = WebSocketFrameWriter.frame(.ping, payload: ByteBuffer())
        #expect(above.compress(short) == short)
        #expect(above.compress(ping) == ping)
    }

    @Test("a frame for a room is compressed once for all of its members that agreed on the same")
    func once() throws {
        let shared = SharedDeflate()
        let (one, other) = (try Self.codec(shared: shared), try Self.codec(shared: shared))
        let narrow = try Self.codec("permessage-deflate; server_max_window_bits=9", shared: shared)
        let frames = WebSocketFrameWriter.frame(.text, payload: ByteBuffer(string: String(repeating: "tick ", count: 500)))
        func address(_ buffer: ByteBuffer) -> Int { buffer.withUnsafeReadableBytes { Int(bitPattern: $0.baseAddress) } }
        let first = one.compress(frames)
        #expect(address(first) == address(other.compress(frames)))
        #expect(address(first) != address(narrow.compress(frames)))
        let copy = ByteBuffer(bytes: frames.readableBytesView)
        #expect(address(first) != address(other.compress(copy)))
    }

    @Test("§7: a client that offers it gets long messages compressed, may compress its own, and fails with what is damaged")
    func connections() async throws {
        let configuration = try TransportConfiguration(pingInterval: .seconds(30), origins: .any, deflate: DeflatePolicy())
        try await TestServer.socketIO(configuration) { server in
            server.namespace("/").on("say") { socket, arguments, _ in socket.emit("said", arguments) }
        } _: { server in
            let connection = try await server.connect()
            connection.request(
                "GET", server.base + "&transport=websocket",
                [
                    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                ])
            let answer = try await connection.answer()
            #expect(answer.status == 101)
            #expect(
                answer.header("Sec-WebSocket-Extensions")
                    == "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
            _ = try await connection.text()
            connection.say("40")
            _ = try await connection.text()
            let codec = try Self.codec(shared: SharedDeflate())
            let long = "42[\"say\",\"\(String(repeating: "so many words ", count: 200))\"]"
            for text in [long, "42[\"say\",\"few\"]"] {
                // A client's frame: compressed, with RSV1, masked by nothing.
                let plain = WebSocketFrameWriter.frame(.text, payload: ByteBuffer(string: text))
                var compressed = codec.compress(plain)
                guard let frame = ServerFrames.next(&compressed) else { return #expect(Bool(false), "no frame") }
                var masked = WebSocketFrameWriter.clientFrame(.text, payload: frame.payload, key: 0)
                if frame.payload.readableBytes < text.utf8.count { masked.setInteger(UInt8(0xC1), at: masked.readerIndex) }
                connection.send(masked)
            }
            guard case .deflated(let message, true)? = try await connection.event() else { return #expect(Bool(false), "not compressed") }
            #expect(String(buffer: try codec.expand(message, isText: true)) == long.replacing("say", with: "said"))
            #expect(try await connection.text() == "42[\"said\",\"few\"]")
            var damaged = WebSocketFrameWriter.clientFrame(.text, payload: ByteBuffer(bytes: [0x07]), key: 0)
            damaged.setInteger(UInt8(0xC1), at: damaged.readerIndex)
            connection.send(damaged)
            guard case .close(1_007, _)? = try await connection.event() else { return #expect(Bool(false), "not closed with 1007") }
        }
    }
}
