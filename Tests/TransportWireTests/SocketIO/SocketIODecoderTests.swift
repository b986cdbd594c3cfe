import JSON
import NIOCore
import Testing

@testable import TransportWire

@Suite("Socket.IO decoder")
struct SocketIODecoderTests {
    private func decode(_ text: String, limits: WireLimits = WireLimits()) throws(WireError) -> SocketIOPacket? {
        var decoder = SocketIODecoder(limits: limits)
        return try decoder.text(ByteBuffer(text))
    }

    @Test(
        "S1 S2: well-formed packets",
        arguments: [
            ("0", SocketIOPacket(kind: .connect)), ("0{}", SocketIOPacket(kind: .connect, data: [:])),
            (#"0{"token":"123"}"#, SocketIOPacket(kind: .connect, data: ["token": "123"])),
            ("0/custom", SocketIOPacket(kind: .connect, namespace: "/custom")),
            ("0/custom,", SocketIOPacket(kind: .connect, namespace: "/custom")),
            (#"0/custom,{"a":1}"#, SocketIOPacket(kind: .connect, namespace: "/custom", data: ["a": 1])),
            ("0/a?b=c,", SocketIOPacket(kind: .connect, namespace: "/a?b=c")), ("0/,", SocketIOPacket(kind: .connect)),
            ("1", SocketIOPacket(kind: .disconnect)), ("1/custom", SocketIOPacket(kind: .disconnect, namespace: "/custom")),
            ("1/custom,", SocketIOPacket(kind: .disconnect, namespace: "/custom")),
            (#"2["a",1,null]"#, SocketIOPacket(kind: .event, data: ["a", 1, .null])),
            (#"2[1,"a"]"#, SocketIOPacket(kind: .event, data: [1, "a"])), (#"2[""]"#, SocketIOPacket(kind: .event, data: [""])),
            (#"2[1.5]"#, SocketIOPacket(kind: .event, data: [.number("1.5")])),
            (#"20["a"]"#, SocketIOPacket(kind: .event, ackID: 0, data: ["a"])),
            (
                #"2/admin,456["project:delete",123]"#,
                SocketIOPacket(kind: .event, namespace: "/admin", ackID: 456, data: ["project:delete", 123])
            ),
            (#"29007199254740991["a"]"#, SocketIOPacket(kind: .event, ackID: 9_007_199_254_740_991, data: ["a"])),
            ("3456[]", SocketIOPacket(kind: .ack, ackID: 456, data: [])),
            ("3/n,7[1]", SocketIOPacket(kind: .ack, namespace: "/n", ackID: 7, data: [1])),
            (#"4"oh no""#, SocketIOPacket(kind: .connectError, data: "oh no")),
            (
                #"4/random,{"message":"Invalid namespace"}"#,
                SocketIOPacket(kind: .connectError, namespace: "/random", data: ["message": "Invalid namespace"])
            ),
            (#"50-["a"]"#, SocketIOPacket(kind: .event, data: ["a"])), ("60-3[]", SocketIOPacket(kind: .ack, ackID: 3, data: [])),
        ])
    func wellFormed(text: String, packet: SocketIOPacket) throws {
        #expect(try decode(text) == packet)
    }

    @Test(
        "§5.4, S2, S4, S6: what is no packet is refused",
        arguments: [
            "", "7", "999", "abc", "a", "-1", " 2[\"a\"]", #"2"#, #"3"#, #"4"#, "442[\"some\",\"data\"", #"42["some","data""#,
            #"0/admin,"invalid""#, "0[]", "0null", "0\"x\"",
            "01{}", "1/admin,{}", "1{}", "1[]", "11", #"2/admin,"invalid"#, "2/admin,{}", "2{}", "2[]", #"2[{"toString":"foo"}]"#,
            #"2[true,"foo"]"#, #"2[null,"bar"]"#,
            #"2[["a"]]"#, #"2["a""#, #"2["a"]x"#, "2abc[\"a\"]", "2 1[\"a\"]", "2-1[\"a\"]", "2+1[\"a\"]", "21.5[\"a\"]", "2\u{661}[\"a\"]",
            "2/admin", "2/admin,", "2/admin,1",
            "3[]", "3{}", "3/n,[]", "31{}", "31", "4[]", "4null", "41{}", "5", "51", "5a-", "51.23-", "5-[\"a\"]", "5-1-[\"a\"]",
            "51[\"a\"]", "51-", "51-{}", "6", "61-[]",
            #"2["a",01]"#, #"2['a']"#, "2[\"a\nb\"]", "2[\"a\",NaN]",
        ])
    func refusals(text: String) {
        #expect(throws: WireError.self) { try decode(text) }
    }

    @Test(
        "refusals name their cause",
        arguments: [
            ("9", WireError.unknownKind(0x39)), ("", .emptyPacket), ("5999999-[\"a\"]", .tooManyAttachments),
            ("51[\"a\"]", .invalidAttachmentCount), ("3[]", .invalidAckID),
            (#"29007199254740992["a"]"#, .invalidAckID), ("2" + String(repeating: "9", count: 500) + "[\"a\"]", .invalidAckID),
            ("2{}", .invalidPayload), (#"2["connect"]"#, .reservedEvent),
            (#"51-["a",{"_placeholder":true,"num":1}]"#, .invalidPlaceholder),
        ])
    func causes(text: String, error: WireError) {
        #expect(throws: error) { try decode(text) }
    }

    @Test(
        "S3: reserved names are refused on receipt, and only as names",
        arguments: [
            "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
        ])
    func reserved(name: String) throws {
        #expect(throws: WireError.reservedEvent) { try decode(#"2["\#(name)","123"]"#) }
        #expect(throws: WireError.reservedEvent) { try decode(#"51-["\#(name)",{"_placeholder":true,"num":0}]"#) }
        #expect(try decode(#"2["a","\#(name)"]"#) != nil)
        #expect(try decode(#"2["\#(name)s"]"#) != nil)
        #expect(try decode(#"31["\#(name)"]"#) != nil)
    }

    @Test("S3: an escape does not hide a reserved name")
    func escapedReserved() {
        #expect(throws: WireError.reservedEvent) { try decode(#"2["\u0063onnect"]"#) }
    }

    @Test("attack 10: `error` is an ordinary event name")
    func errorEvent() throws {
        #expect(try decode(#"2["error"]"#)?.data == ["error"])
    }

    @Test("namespaces are bounded in bytes (attack 24)")
    func namespaceLength() throws {
        let limits = WireLimits(namespaceBytes: 10)
        let longest = "/" + String(repeating: "n", count: 9)
        #expect(try decode("0" + longest, limits: limits)?.namespace == longest)
        #expect(try decode("0" + longest + ",", limits: limits)?.namespace == longest)
        #expect(throws: WireError.namespaceTooLong) { try decode("0" + longest + "n", limits: limits) }
        #expect(throws: WireError.namespaceTooLong) { try decode("0" + longest + "n,{}", limits: limits) }
        #expect(throws: WireError.namespaceTooLong) { try decode("2/" + String(repeating: "n", count: 1_000_000)) }
    }

    @Test("attack 25: deep nesting, huge numbers, lone surrogates and duplicate keys are harmless")
    func hostileJSON() throws {
        #expect(throws: WireError.self) { try decode("2" + String(repeating: "[", count: 1_000_000)) }
        #expect(throws: WireError.self) { try decode(#"2["a","# + String(repeating: #"{"a":"#, count: 200)) }
        let digits = String(repeating: "9", count: 10_000)
        #expect(try decode(#"2["a",\#(digits)]"#)?.data == ["a", .number(digits)])
        #expect(try decode(#"2["a","\ud800"]"#)?.data == ["a", "\u{FFFD}"])
        #expect(try decode(#"2["a",{"k":1,"k":2}]"#)?.data == ["a", ["k": 2]])
    }

    @Test("random damage to valid packets never crashes, and what is accepted survives a round trip")
    func randomDamage() throws {
        let seed = randomSeed()
        var random = SeededGenerator(seed: seed)
        let samples = [
            #"2/n,12["ev",{"a":[1,2]},"x"]"#, #"52-3["ev",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#, #"0/x,{"t":1}"#,
            "3/n,7[1,null]", #"4{"m":"x"}"#,
        ]
        var accepted = 0
        for _ in 0..<5_000 {
            var bytes = [UInt8](samples[Int.random(in: 0..<samples.count, using: &random)].utf8)
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert([0x22, 0x2C, 0x2D, 0x2F, 0x30, 0x5B, 0x7B][Int.random(in: 0..<7, using: &random)], at: place)
                }
            }
            var decoder = SocketIODecoder()
            guard let packet = try? decoder.text(ByteBuffer(bytes: bytes)) else { continue }
            accepted += 1
            var again = SocketIODecoder()
            #expect(
                try again.text(SocketIOEncoder.encode(packet).text) == packet, "seed \(seed), \(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(accepted > 100, "seed \(seed)")
    }
}
