import JSON
import Testing

@Suite("JSON: the strict parser")
struct StrictJSONTests {
    private func reason(_ bytes: [UInt8]) -> StrictJSONError.Reason? {
        do {
            _ = try JSONValue(strictlyParsing: bytes)
            return nil
        } catch {
            return error.reason
        }
    }

    private func reason(_ text: String) -> StrictJSONError.Reason? { reason([UInt8](text.utf8)) }

    @Test("a text that every reader understands alike is kept as it is")
    func accepted() throws {
        let text = #"{"a":[1,-3,9223372036854775807,-9223372036854775808,0,0.0,1.50,1e3,123456789012.345],"b":{"é":"😀 \" \n"},"c":null}"#
        #expect(try JSONValue(strictlyParsing: [UInt8](text.utf8)).jsonText == text)
        #expect(try JSONValue(strictlyParsing: [UInt8]("1.50".utf8)) == .number("1.50"))
    }

    @Test(
        "a number that a reader might round is refused",
        arguments: [
            "9223372036854775808", "-9223372036854775809", "1e999", "1E+19", "9.3e18", "-9.3e18", "1.0000000000000001",
            "1234567890123456.0",
            "0.1234567890123456", "1000000000000000000000000000000", "1e-308", "1e99999999999999999999", "1e-99999999999999999999",
        ])
    func inexact(text: String) {
        #expect(reason(text) == .inexactNumber)
        #expect(reason("[" + text + "]") == .inexactNumber)
    }

    @Test(
        "a number that every reader keeps is accepted",
        arguments: [
            "9.2e18", "1e18", "1000000000000000.0", "0.123456789012345", "1.2300000000000000000000", "1e-307", "0e5",
            "000000.0".suffix(3).description,
        ])
    func exact(text: String) { #expect(reason(text) == nil) }

    @Test("zero has no sign", arguments: ["-0", "-0.0", "-0e1", "-0.000e-9"])
    func negativeZero(text: String) { #expect(reason(text) == .negativeZero) }

    @Test("what Python writes for no number is no number", arguments: ["NaN", "Infinity", "-Infinity", "+1", ".5", "0x10", "1_000", "01"])
    func noNumber(text: String) {
        #expect(reason(text) != nil)
        #expect(reason(#"{"a":\#(text)}"#) != nil)
    }

    @Test("a second key of the same name is refused, at any depth and however it is written")
    func duplicates() {
        #expect(reason(#"{"amount":1,"amount":9999}"#) == .duplicateKey)
        #expect(reason(#"{"amount":1,"\u0061mount":1}"#) == .duplicateKey)
        #expect(reason(#"[{"a":{"b":1,"c":2,"b":1}}]"#) == .duplicateKey)
        #expect(reason("{\"\u{E9}\":1,\"e\u{301}\":2}") == .duplicateKey)
        #expect(reason(#"{"a":1,"A":2,"b":{"a":3}}"#) == nil)
        let many = (0..<40).map { "\"k\($0)\":0" }
        #expect(reason("{" + many.joined(separator: ",") + "}") == nil)
        for repeated in [0, 15, 16, 17, 39] {
            #expect(reason("{" + (many + [many[repeated]]).joined(separator: ",") + "}") == .duplicateKey)
        }
    }

    @Test("half a surrogate pair is refused as escape and as bytes")
    func surrogates() {
        for text in [#""\ud83d""#, #""\ud83dx""#, #""\ud83d\u0041""#, #""\udc00""#, #"{"\udfff":1}"#, #""\ud83d\ud83d\ude00""#] {
            #expect(reason(text) == .loneSurrogate)
        }
        #expect(reason(#""\ud83d\ude00""#) == nil)
        #expect(reason([0x22, 0xED, 0xA0, 0xBD, 0x22]) == .invalidUTF8)
    }

    @Test("overlong and truncated UTF-8, a byte order mark and NUL are refused")
    func encoding() {
        for bytes: [UInt8] in [
            [0xC0, 0x80], [0xC1, 0xA1], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF], [0xF4, 0x90, 0x80, 0x80], [0xC3],
        ] {
            #expect(reason([0x22] + bytes + [0x22]) == .invalidUTF8)
        }
        #expect(reason([0xEF, 0xBB, 0xBF] + [UInt8]("{}".utf8)) == .byteOrderMark)
        #expect(reason(#""a\u0000b""#) == .nulInString)
        #expect(reason(#"{"\u0000":1}"#) == .nulInString)
        #expect(reason([0x22, 0x00, 0x22]) == .controlCharacter)
        #expect(reason([0xFE, 0xFF, 0x00, 0x7B]) == .unexpectedByte)
    }

    @Test("depth, count of values and length of keys have a last allowed value")
    func limits() {
        let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(reason(nested(32)) == nil)
        #expect(reason(nested(33)) == .tooDeep)
        let objects = { (depth: Int) in String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth) }
        #expect(reason(objects(32)) == nil)
        #expect(reason(objects(33)) == .tooDeep)
        #expect(reason([UInt8](repeating: UInt8(ascii: "["), count: 100_000)) == .tooDeep)
        let flat = { (count: Int) in "[" + [String](repeating: "0", count: count - 1).joined(separator: ",") + "]" }
        #expect(reason(flat(10_000)) == nil)
        #expect(reason(flat(10_001)) == .tooManyNodes)
        let members = { (count: Int) in "{" + (1..<count).map { "\"\($0)\":0" }.joined(separator: ",") + "}" }
        #expect(reason(members(10_000)) == nil)
        #expect(reason(members(10_001)) == .tooManyNodes)
        let key = { (bytes: Int) in #"{""# + String(repeating: "k", count: bytes) + #"":0}"# }
        #expect(reason(key(128)) == nil)
        #expect(reason(key(129)) == .keyTooLong)
    }

    @Test("there is one value and nothing else")
    func document() {
        #expect(reason("{} {}") == .trailingBytes)
        #expect(reason("") == .unexpectedEnd)
        #expect(reason(" {\"a\" : [ ] }\n") == nil)
        #expect(reason("{}\0") == .trailingBytes)
    }

    @Test("the error names the byte")
    func offsets() {
        let cases: [(String, Int)] = [
            (#"{"a":1,"a":2}"#, 7), (#"["x",1e999]"#, 5), (#""ab\ud800""#, 3), (#""ab\u0000""#, 3), (#"[-0]"#, 1),
        ]
        for (text, offset) in cases {
            let error = #expect(throws: StrictJSONError.self) { try JSONValue(strictlyParsing: [UInt8](text.utf8)) }
            #expect(error?.offset == offset, "\(text)")
        }
    }

    @Test("random bytes are refused or round-trip, and never trap")
    func random() throws {
        var generator = SeededGenerator(seed: 44)
        let alphabet = [UInt8](#"{}[]",:\u0d81-+.eE truefalsn"#.utf8) + [0x00, 0xC3, 0xA9, 0xED, 0xA0, 0x80, 0xEF, 0xBB, 0xBF, 0xFF]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            guard let value = try? JSONValue(strictlyParsing: bytes) else { continue }
            #expect(try JSONValue(strictlyParsing: value.jsonBytes) == value)
            let canonical = value.canonicalBytes
            #expect(try JSONValue(strictlyParsing: canonical).canonicalBytes == canonical)
        }
    }
}

/// SplitMix64, so that a failure names its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
