import NIOCore
import Testing

@testable import TransportWire

@Suite("WebSocket parser: limits, memory and random input")
struct WebSocketParserTests {
    @Test("a declared length over the limit fails before any of its payload (attack 12)")
    func declaredLength() {
        let limits = WebSocketLimits(messageBytes: 1_000)
        #expect(ParserRun(RawFrame.binary([UInt8](repeating: 0, count: 1_000)), limits: limits).failure == nil)
        let header = Array(RawFrame(first: 0x82, declaredLength: 1_001).bytes)
        #expect(ParserRun(header, limits: limits).failure == .messageTooBig)
    }

    @Test("the sum of fragments is held to the limit, on the declaration of the one that exceeds it")
    func fragmentSum() {
        let limits = WebSocketLimits(messageBytes: 10)
        let six = [UInt8](repeating: 1, count: 6)
        let first = RawFrame.binary(six, fin: false)
        #expect(ParserRun(first + RawFrame.more([1, 2, 3, 4]), limits: limits).events.count == 1)
        let header = RawFrame(first: 0x80, declaredLength: 5).bytes
        #expect(ParserRun(first + header, limits: limits).failure == .messageTooBig)
        // The sum starts anew with each message.
        let again = first + RawFrame.more([1, 2, 3, 4]) + first + RawFrame.more([1, 2, 3, 4])
        #expect(runEveryWay(again, limits: limits).events.count == 2)
    }

    @Test("attack 16: fragments are capped, empty ones too, and FIN=0 without end stops there")
    func fragmentCap() {
        let limits = WebSocketLimits(fragments: 5)
        let allowed = RawFrame.text("", fin: false) + (0..<3).flatMap { _ in RawFrame.more("", fin: false) } + RawFrame.more("x")
        #expect(runEveryWay(allowed, limits: limits).events == [.text(ByteBuffer("x"))])
        let endless = RawFrame.text("", fin: false) + (0..<100).flatMap { _ in RawFrame.more("", fin: false) + RawFrame.ping() }
        let run = runEveryWay(endless, limits: limits)
        #expect(run.failure == .tooManyFragments)
        #expect(run.events.count == 4)
    }

    @Test("attack 16: a megabyte in one-octet fragments holds its octets and little more")
    func tinyFragments() throws {
        let limits = WebSocketLimits(messageBytes: 100_000, fragments: 100_001)
        var parser = WebSocketParser(limits: limits)
        var buffer = ByteBuffer(bytes: RawFrame.binary([0], fin: false))
        #expect(try parser.next(&buffer) == nil)
        let fragment = RawFrame.more([7], fin: false)
        for _ in 1..<100_000 {
            buffer.writeBytes(fragment)
            #expect(try parser.next(&buffer) == nil)
        }
        #expect(parser.assembledBytes == 100_000)
        buffer.writeBytes(RawFrame.more([]))
        guard case .binary(let message)? = try parser.next(&buffer) else { throw WebSocketFailure.messageTooBig }
        #expect(message.readableBytes == 100_000)
        #expect(message.storageCapacity <= 262_144)
    }

    @Test("attack 4: a large message in small reads costs time in proportion to its length")
    func linear() {
        let payload = [UInt8](repeating: 0x61, count: 1_000_000)
        let bytes = RawFrame.text(payload)
        let pieces = stride(from: 0, to: bytes.count, by: 64).map { [UInt8](bytes[$0..<min(bytes.count, $0 + 64)]) }
        let clock = ContinuousClock()
        let elapsed = clock.measure { #expect(ParserRun(pieces).events == [.text(ByteBuffer(bytes: payload))]) }
        // A copy of the message for each of its 15,626 reads would be 8 GB.
        #expect(elapsed < .seconds(10))
    }

    @Test("a message alone in its read is a slice of it")
    func zeroCopy() throws {
        for masked in [true, false] {
            var parser = WebSocketParser(role: masked ? .server : .client)
            var buffer = ByteBuffer(bytes: RawFrame(first: 0x82, payload: [UInt8](0...99), mask: masked ? [1, 2, 3, 4] : nil).bytes)
            let address = buffer.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
            guard case .binary(let message)? = try parser.next(&buffer) else { throw WebSocketFailure.messageTooBig }
            #expect(message.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == address + (masked ? 6 : 2))
            #expect(message.array == [UInt8](0...99))
            // The emptied buffer shares nothing, so the next read writes into fresh storage.
            #expect(buffer.storageCapacity == 0)
        }
    }

    @Test("messages kept from one read stay what they were while the rest is unmasked")
    func keptMessages() {
        let texts = (0..<200).map { "message number \($0)" }
        let run = runEveryWay(texts.flatMap { RawFrame.text($0) })
        #expect(run.events == texts.map { .text(ByteBuffer($0)) })
    }

    @Test("attack 12: a ping's payload is its own octets and no others")
    func pingPayload() throws {
        var parser = WebSocketParser()
        var buffer = ByteBuffer(bytes: RawFrame.ping([1, 2, 3]) + RawFrame.text("secret"))
        guard case .ping(let payload)? = try parser.next(&buffer) else { throw WebSocketFailure.messageTooBig }
        #expect(payload.array == [1, 2, 3])
        #expect(WebSocketFrameWriter.frame(.pong, payload: payload).array == [0x8A, 3, 1, 2, 3])
    }

    @Test("random conversations give the same events under every split, alone and shared")
    func randomConversations() {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var bytes: [UInt8] = []
            var expected: [WebSocketEvent] = []
            for _ in 0..<Int.random(in: 1...8, using: &random) { appendMessage(&bytes, &expected, &random) }
            #expect(ParserRun(bytes) == ParserRun(events: expected), "seed \(seed)")
            #expect(ParserRun(random.chop(bytes)) == ParserRun(events: expected), "seed \(seed)")
            #expect(ParserRun(random.chop(bytes), sharing: true) == ParserRun(events: expected), "seed \(seed)")
        }
    }

    @Test("every split in two of a conversation gives the same events")
    func everySplit() {
        let bytes =
            RawFrame.text("aé水😀", fin: false) + RawFrame.ping([9]) + RawFrame.more("水") + RawFrame.binary([UInt8](repeating: 3, count: 130))
            + RawFrame.close(1000, [0x62])
        let whole = ParserRun(bytes)
        #expect(whole.events.count == 4)
        for cut in 0...bytes.count { #expect(ParserRun([[UInt8](bytes[..<cut]), [UInt8](bytes[cut...])]) == whole, "cut at \(cut)") }
    }

    @Test("random octets never crash and splits never change the outcome")
    func randomOctets() {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            var bytes: [UInt8] = []
            var ignored: [WebSocketEvent] = []
            for _ in 0..<3 { appendMessage(&bytes, &ignored, &random) }
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<min(bytes.count, 24), using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let whole = ParserRun(bytes)
            #expect(ParserRun(random.chop(bytes)) == whole, "seed \(seed), \(bytes)")
            #expect(ParserRun(bytes.map { [$0] }) == whole, "seed \(seed), \(bytes)")
        }
    }

    private func appendMessage(_ bytes: inout [UInt8], _ events: inout [WebSocketEvent], _ random: inout SeededGenerator) {
        let isText = Bool.random(using: &random)
        let length = [0, 3, 60, 130, 300][Int.random(in: 0..<5, using: &random)]
        let payload = isText ? [UInt8](random.text(length).utf8) : random.bytes(length)
        let pieces = Bool.random(using: &random) ? [payload] : random.chop(payload)
        for (index, piece) in (pieces.isEmpty ? [[]] : pieces).enumerated() {
            let isLast = index + 1 >= pieces.count
            let first: UInt8 = (isLast ? 0x80 : 0) | (index > 0 ? 0 : isText ? 1 : 2)
            bytes += RawFrame(first: first, payload: piece, mask: random.bytes(4)).bytes
            if !isLast, Int.random(in: 0..<4, using: &random) == 0 {
                let ping = random.bytes(Int.random(in: 0...125, using: &random))
                bytes += RawFrame(first: 0x89, payload: ping, mask: random.bytes(4)).bytes
                events.append(.ping(ByteBuffer(bytes: ping)))
            }
        }
        events.append(isText ? .text(ByteBuffer(bytes: payload)) : .binary(ByteBuffer(bytes: payload)))
    }
}
