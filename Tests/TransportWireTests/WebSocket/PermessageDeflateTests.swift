import NIOCore
import Testing

@testable import TransportWire

/// RFC 7692: what is agreed on, and which frames may say that they are compressed.
@Suite("permessage-deflate on the wire") struct PermessageDeflateTests {
    private func agreement(_ offers: [String], _ policy: DeflatePolicy = DeflatePolicy()) -> String? {
        guard let parsed = ExtensionOffer.parse(offers) else { return "malformed" }
        return DeflateAgreement.choose(among: parsed, under: policy)?.fieldValue
    }

    private static let free = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    @Test(
        "§7.1: what a client offers and what is answered, without context",
        arguments: [
            ("permessage-deflate", Self.free),
            ("permessage-deflate; client_max_window_bits", Self.free),
            ("permessage-deflate; client_max_window_bits=8", Self.free),
            ("permessage-deflate; server_no_context_takeover", Self.free),
            ("permessage-deflate;server_max_window_bits=10", Self.free + "; server_max_window_bits=10"),
            ("permessage-deflate; server_max_window_bits=\"12\"", Self.free + "; server_max_window_bits=12"),
            ("x-webkit-deflate-frame, permessage-deflate", Self.free),
            (", ,permessage-deflate ;\tclient_no_context_takeover,", Self.free),
        ])
    func agreed(offer: String, answer: String) { #expect(agreement([offer]) == answer) }

    @Test(
        "§7.1: an offer that cannot be kept is declined",
        arguments: [
            "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010", "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_no_context_takeover=\"yes\"",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "permessage-deflate; unknown",
            "permessage-bzip2", "PerMessage-Deflate", "",
        ])
    func declined(offer: String) { #expect(agreement([offer]) == nil) }

    @Test("§5.1: the first offer that can be kept is taken, over several fields too")
    func preference() {
        let narrow = "permessage-deflate; server_max_window_bits=9"
        #expect(agreement(["permessage-deflate; server_max_window_bits=8, \(narrow), permessage-deflate"])?.hasSuffix("bits=9") == true)
        #expect(agreement(["permessage-deflate; unknown", narrow])?.hasSuffix("bits=9") == true)
    }

    @Test("§7.1.1: context is kept only where both sides keep it, and a narrower server window is the policy's")
    func contexts() {
        let both = DeflatePolicy(serverTakesContextOver: true, clientTakesContextOver: true, serverWindowBits: 11)
        #expect(agreement(["permessage-deflate"], both) == "permessage-deflate")
        #expect(agreement(["permessage-deflate; client_no_context_takeover"], both) == "permessage-deflate; client_no_context_takeover")
        #expect(agreement(["permessage-deflate; server_max_window_bits=15"], both) == "permessage-deflate; server_max_window_bits=11")
        #expect(DeflatePolicy(serverWindowBits: 8).serverWindowBits == 9)
    }

    @Test(
        "RFC 6455 §9.1: a field that breaks the grammar fails the handshake",
        arguments: [
            "permessage-deflate;", "permessage-deflate; =1", "permessage-deflate; a=", "permessage-deflate; a=\"1", "; a", "a b",
            "permessage-deflate; a=\"b c\"", "permessage-deflate; a=\"\"", "@",
        ])
    func malformed(field: String) {
        #expect(agreement([field]) == "malformed")
        let request = WebSocketUpgradeRequest(
            method: "GET", majorVersion: 1, minorVersion: 1,
            headers: [
                ("Host", "h"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Extensions", field),
            ])
        #expect(throws: WebSocketRefusal(reason: .extensions)) { try WebSocketHandshake.accept(request, deflate: DeflatePolicy()) }
        // Whoever does not compress does not read it.
        #expect(throws: Never.self) { try WebSocketHandshake.accept(request) }
    }

    @Test("Attack 13: 32 KB of adversarial offers are read in linear time")
    func adversarial() {
        let long = "permessage-deflate" + String(repeating: "; constructor; __proto__=1", count: 1_300)
        #expect(agreement([long]) == nil)
        #expect(agreement([String(repeating: ",", count: 32_000)]) == nil)
        #expect(agreement([String(repeating: "permessage-deflate; a=\"\\", count: 1_000)]) == "malformed")
    }

    // MARK: Frames

    private func run(_ bytes: [UInt8], limits: WebSocketLimits = WebSocketLimits()) -> ParserRun {
        let whole = ParserRun([bytes], limits: limits, compressed: true)
        #expect(ParserRun(bytes.map { [$0] }, limits: limits, compressed: true) == whole)
        return whole
    }

    /// "Hello" of RFC 7692 §7.2.3.1.
    private static let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]

    @Test("§6: a compressed message comes as it is, whole or in fragments, with control frames between")
    func compressed() {
        let hello = Self.hello
        let whole = RawFrame(first: 0xC1, payload: hello).bytes
        #expect(run(whole).events == [.deflated(ByteBuffer(bytes: hello), isText: true)])
        let pieces = RawFrame(first: 0x42, payload: Array(hello[..<3])).bytes + RawFrame.ping([1]) + RawFrame.more(Array(hello[3...]))
        #expect(run(pieces).events == [.ping(ByteBuffer(bytes: [1])), .deflated(ByteBuffer(bytes: hello), isText: false)])
        // The next message is again what its own first frame says.
        #expect(run(whole + RawFrame.text("ö")).events.last == .text(ByteBuffer("ö")))
        #expect(run(whole + RawFrame.text([0xFF])).failure == .invalidUTF8)
    }

    @Test("§6.1: RSV1 on a control frame or a continuation fails, as it does when nothing was agreed on")
    func misplaced() {
        #expect(run(RawFrame(first: 0xC9).bytes).failure == .misplacedCompression)
        #expect(run(RawFrame(first: 0xC8).bytes).failure == .misplacedCompression)
        #expect(
            run(RawFrame(first: 0x41, payload: [0xF2]).bytes + RawFrame(first: 0xC0, payload: [0]).bytes).failure == .misplacedCompression)
        #expect(runEveryWay(RawFrame(first: 0xC1, payload: Self.hello).bytes).failure == .compressionNotNegotiated)
        #expect(run(RawFrame(first: 0xA1).bytes).failure == .reservedBits)
        #expect(WebSocketFailure.misplacedCompression.closeCode == 1002)
        #expect(WebSocketFailure.invalidCompressedData.closeCode == 1007)
    }
}
