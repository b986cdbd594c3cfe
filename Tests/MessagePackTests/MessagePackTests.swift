import JSON
import Testing

@testable import MessagePack

@Suite("MessagePack") struct MessagePackTests {
    private func read(_ bytes: [UInt8], _ limits: JSONLimits = JSONLimits()) -> Result<JSONValue, MessagePackError> {
        bytes.withUnsafeBytes { raw in Result { () throws(MessagePackError) in try MessagePackReader.read(raw, limits: limits) } }
    }

    private func reason(_ bytes: [UInt8], _ limits: JSONLimits = JSONLimits()) -> MessagePackError.Reason? {
        if case .failure(let error) = read(bytes, limits) { error.reason } else { nil }
    }

    @Test(
        "each format in its shortest form, there and back",
        arguments: [
            (JSONValue.null, [0xC0]), (false, [0xC2]), (true, [0xC3]), (0, [0x00]), (127, [0x7F]), (128, [0xCC, 0x80]),
            (255, [0xCC, 0xFF]), (256, [0xCD, 1, 0]), (65_536, [0xCE, 0, 1, 0, 0]), (4_294_967_296, [0xCF, 0, 0, 0, 1, 0, 0, 0, 0]),
            (-1, [0xFF]), (-32, [0xE0]), (-33, [0xD0, 0xDF]), (-129, [0xD1, 0xFF, 0x7F]), (-32_769, [0xD2, 0xFF, 0xFF, 0x7F, 0xFF]),
            (-2_147_483_649, [0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]), ("", [0xA0]), ("é", [0xA2, 0xC3, 0xA9]),
            (.bytes([1, 2]), [0xC4, 2, 1, 2]), ([], [0x90]), ([1, "a"], [0x92, 1, 0xA1, 0x61]), ([:], [0x80]),
            (["a": [:]], [0x81, 0xA1, 0x61, 0x80]), (.number("1.5"), [0xCB, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0]),
            (.number("18446744073709551615"), [0xCF] + [UInt8](repeating: 0xFF, count: 8)),
        ] as [(JSONValue, [UInt8])])
    func formats(value: JSONValue, bytes: [UInt8]) throws {
        #expect(MessagePackWriter.bytes(of: value) == bytes)
        #expect(try read(bytes).get() == value)
    }

    @Test("longer strings, data, arrays and maps", arguments: [31, 32, 255, 256, 65_535, 65_536])
    func lengths(count: Int) throws {
        let values: [JSONValue] = [
            .string(String(repeating: "x", count: count)), .bytes([UInt8](repeating: 7, count: count)),
            .array([JSONValue](repeating: .null, count: count)),
        ]
        for value in values { #expect(try read(MessagePackWriter.bytes(of: value)).get() == value) }
        let members = JSONValue.object(JSONObject((0..<min(count, 300)).map { ("k\($0)", .integer(Int64($0))) }))
        #expect(try read(MessagePackWriter.bytes(of: members)).get() == members)
    }

    @Test("what only others write: floats, long forms, and notepack's dates, undefined and ArrayBuffers")
    func foreign() throws {
        let cases: [([UInt8], JSONValue)] = [
            ([0xCA, 0x3F, 0xC0, 0, 0], .number("1.5")), ([0xCB, 0x40, 0x14, 0, 0, 0, 0, 0, 0], 5),
            ([0xCB, 0x7F, 0xF0, 0, 0, 0, 0, 0, 0], .null), ([0xDB, 0, 0, 0, 1, 0x61], "a"), ([0xDD, 0, 0, 0, 1, 0xC0], [.null]),
            ([0xDF, 0, 0, 0, 1, 0xA1, 0x61, 1], ["a": 1]), ([0xD7, 0, 0, 0, 1, 0x8B, 0xCF, 0xE5, 0x68, 0x00], 1_700_000_000_000),
            ([0xD4, 0, 0], .null), ([0xC7, 3, 0, 1, 2, 3], .bytes([1, 2, 3])), ([0x82, 0xA1, 0x61, 1, 0xA1, 0x61, 2], ["a": 2]),
        ]
        for (bytes, value) in cases { #expect(try read(bytes).get() == value, "\(bytes)") }
    }

    @Test("what is no value is refused where it stands, and no declared length takes memory")
    func refusals() {
        #expect(reason([]) == .unexpectedEnd)
        #expect(reason([0xC1]) == .unknownFormat)
        #expect(reason([0xA1, 0xFF]) == .invalidUTF8)
        #expect(reason([0x81, 1, 1]) == .keyIsNoString)
        #expect(reason([0xD4, 5, 0]) == .unknownExtension)
        #expect(reason([0xC0, 0xC0]) == .trailingBytes)
        #expect(reason([0xDD, 0xFF, 0xFF, 0xFF, 0xFF]) == .unexpectedEnd)
        #expect(reason([0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 0]) == .unexpectedEnd)
        #expect(reason([0xDF, 0xFF, 0xFF, 0xFF, 0xFF]) == .tooManyMembers)
        #expect(reason([UInt8](repeating: 0x91, count: 1_000_000)) == .tooDeep)
        #expect(reason([0x91, 0x91, 0xC0], JSONLimits(depth: 1)) == .tooDeep)
    }

    @Test("Attack 30: random bytes are a value that is written and read back the same, or an error")
    func random() {
        var generator = SystemRandomNumberGenerator()
        let alphabet: [UInt8] = [0x80, 0x81, 0x90, 0x92, 0xA0, 0xA1, 0x61, 0xC0, 0xC4, 0xC7, 0xCA, 0xCB, 0xCF, 0xD3, 0xD9, 0xDC, 0xDE]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                Bool.random(using: &generator) ? alphabet.randomElement(using: &generator)! : .random(in: 0...255, using: &generator)
            }
            guard case .success(let value) = read(bytes) else { continue }
            #expect(try! read(MessagePackWriter.bytes(of: value)).get() == value, "\(bytes)")
        }
    }

    @Test(
        "a date as JavaScript's toJSON writes it, from the year 0 to 9999",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"), (1_764_322_664_059, "2025-11-28T09:37:44.059Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func dates(_ milliseconds: Int64, _ text: String) throws {
        let bytes = [0xD7, 0] + withUnsafeBytes(of: milliseconds.bigEndian) { [UInt8]($0) }
        #expect(try bytes.withUnsafeBytes { try MessagePackReader.read($0, dates: .text) } == .string(text))
        #expect(try bytes.withUnsafeBytes { try MessagePackReader.read($0) } == .integer(milliseconds))
    }

    @Test("a date that no calendar has is null") func noDate() throws {
        for milliseconds in [Int64.max, .min, 253_402_300_800_000, -62_167_219_200_001] {
            let bytes = [0xD7, 0] + withUnsafeBytes(of: milliseconds.bigEndian) { [UInt8]($0) }
            #expect(try bytes.withUnsafeBytes { try MessagePackReader.read($0, dates: .text) } == .null)
        }
    }

    @Test(
        "the specification's own date in each of its three lengths is a date like notepack's",
        arguments: [
            ([0xD6, 0xFF, 0, 0, 0, 1], 1_000), ([0xD6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 4_294_967_295_000),
            // 500 ms are 500,000,000 ns, 30 bits above 34 of seconds.
            ([0xD7, 0xFF, 0x77, 0x35, 0x94, 0x00, 0, 0, 0, 2], 2_500),
            ([0xC7, 12, 0xFF, 0x3B, 0x8B, 0x87, 0xC0, 0, 0, 0, 0, 0, 0, 0, 3], 3_999),
            ([0xC7, 12, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], -1_000),
        ] as [([UInt8], Int64)])
    func timestamps(_ bytes: [UInt8], _ milliseconds: Int64) throws {
        #expect(read(bytes) == .success(.integer(milliseconds)))
        let date = [0xD7, 0] + withUnsafeBytes(of: milliseconds.bigEndian) { [UInt8]($0) }
        let text = try date.withUnsafeBytes { try MessagePackReader.read($0, dates: .text) }
        #expect(try bytes.withUnsafeBytes { try MessagePackReader.read($0, dates: .text) } == text)
    }

    @Test("a date of more milliseconds than there are is null, and one of another length unknown") func noTimestamp() {
        #expect(read([0xC7, 12, 0xFF, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == .success(.null))
        for bytes in [[0xD4, 0xFF, 0], [0xD5, 0xFF, 0, 0], [0xC7, 3, 0xFF, 0, 0, 0]] as [[UInt8]] {
            #expect(reason(bytes) == .unknownExtension)
        }
    }
}
