import JSON
import NIOCore
import Testing

@testable import TransportWire

@Suite("Socket.IO attachments")
struct SocketIOAttachmentTests {
    private func feed(_ text: String, _ attachments: [[UInt8]] = [], limits: WireLimits = WireLimits()) throws(WireError) -> SocketIOPacket?
    {
        var decoder = SocketIODecoder(limits: limits)
        var packet = try decoder.text(ByteBuffer(text))
        for attachment in attachments { packet = try decoder.binary(ByteBuffer(bytes: attachment)) }
        return packet
    }

    private func placeholder(_ num: String) -> String { #"{"_placeholder":true,"num":\#(num)}"# }

    @Test("S5: attachments take the places of their placeholders, at any depth and in any order")
    func reconstruct() throws {
        let text = #"52-/n,9["a",{"deep":["# + placeholder("1") + #"]},"# + placeholder("0") + "]"
        let expected = SocketIOPacket(kind: .event, namespace: "/n", ackID: 9, data: ["a", ["deep": [.bytes([2, 2])]], .bytes([1])])
        #expect(try feed(text, [[1], [2, 2]]) == expected)
        #expect(try feed("61-5[" + placeholder("0") + "]", [[]]) == SocketIOPacket(kind: .ack, ackID: 5, data: [.bytes([])]))
    }

    @Test("the packet waits until its last attachment, and counts what it holds (attack 11)")
    func waits() throws {
        var decoder = SocketIODecoder()
        #expect(try decoder.text(ByteBuffer(#"52-["a",\#(placeholder("0")),\#(placeholder("1"))]"#)) == nil)
        #expect(decoder.pendingBytes == 0)
        #expect(try decoder.binary(ByteBuffer(bytes: [1, 2, 3])) == nil)
        #expect(decoder.pendingBytes == 3)
        #expect(try decoder.binary(ByteBuffer(bytes: [4])) != nil)
        #expect(decoder.pendingBytes == 0)
        #expect(try decoder.text(ByteBuffer(#"2["b"]"#)) != nil)
    }

    @Test(
        "attack 6: a `num` that is no index of an attachment is refused",
        arguments: [
            "\"splice\"", "\"0\"", "-1", "2", "1000000000", "0.5", "0.0", "1e0", "-0", "true", "null", "[0]", "{}", "99999999999999999999",
            "9223372036854775807",
        ])
    func illegalIndex(num: String) {
        #expect(throws: WireError.invalidPlaceholder) { try feed(#"52-["a",\#(placeholder(num))]"#, [[1], [2]]) }
    }

    @Test("attack 6: a placeholder without `num` is refused, and no attachment serves twice")
    func missingAndDuplicate() {
        #expect(throws: WireError.invalidPlaceholder) { try feed(#"51-["a",{"_placeholder":true}]"#, [[1]]) }
        #expect(throws: WireError.invalidPlaceholder) { try feed(#"51-["a",\#(placeholder("0")),\#(placeholder("0"))]"#, [[1]]) }
    }

    @Test("S5: only `_placeholder === true` is a placeholder", arguments: ["false", "1", "\"true\"", "null", "{}"])
    func onlyTrue(flag: String) throws {
        let packet = try feed(#"51-["a",{"_placeholder":\#(flag),"num":0},\#(placeholder("0"))]"#, [[7]])
        #expect(packet?.data?.arrayValue?[1].objectValue?.count == 2)
        #expect(packet?.data?.arrayValue?[2] == .bytes([7]))
    }

    @Test("a plain event keeps an object that looks like a placeholder")
    func plainEvent() throws {
        #expect(try feed(#"2["a",\#(placeholder("0"))]"#)?.data == ["a", ["_placeholder": true, "num": 0]])
    }

    @Test(
        "S5, attack 11: at most ten attachments, whatever number is announced", arguments: ["11", "99", "5999999", "18446744073709551616"])
    func tooMany(count: String) {
        #expect(throws: WireError.tooManyAttachments) { try feed("5\(count)-[\"a\"]") }
        #expect(throws: WireError.tooManyAttachments) { try feed("6\(count)-1[]") }
    }

    @Test("S5: ten attachments pass, and the limit can be set")
    func limit() throws {
        let ten = (0..<10).map { placeholder(String($0)) }.joined(separator: ",")
        let packet = try feed("510-[\"a\",\(ten)]", (0..<10).map { [UInt8($0)] })
        #expect(packet?.data?.arrayValue?.last == .bytes([9]))
        #expect(throws: WireError.tooManyAttachments) { try feed("53-[\"a\"]", limits: WireLimits(attachments: 2)) }
    }

    @Test("attack 11: the bytes of pending attachments are bounded together")
    func bytes() throws {
        let limits = WireLimits(attachmentBytes: 8)
        let text = #"52-["a",\#(placeholder("0")),\#(placeholder("1"))]"#
        #expect(try feed(text, [[1, 2, 3, 4], [5, 6, 7, 8]], limits: limits) != nil)
        #expect(throws: WireError.attachmentsTooLarge) { try feed(text, [[1, 2, 3, 4], [5, 6, 7, 8, 9]], limits: limits) }
    }

    @Test("S4: text while attachments are pending, and binary with none pending, are refused")
    func outOfTurn() throws {
        var decoder = SocketIODecoder()
        #expect(throws: WireError.unexpectedBinary) { try decoder.binary(ByteBuffer(bytes: [1])) }
        #expect(try decoder.text(ByteBuffer("51-[\"a\"]")) == nil)
        #expect(throws: WireError.textWhileAttachmentsPending) { try decoder.text(ByteBuffer("2[\"a\"]")) }
        // S6: a packet with no attachments leaves nothing armed.
        #expect(try decoder.text(ByteBuffer("50-[\"a\"]")) != nil)
        #expect(throws: WireError.unexpectedBinary) { try decoder.binary(ByteBuffer(bytes: [1])) }
    }
}
