import JSON
import Testing

@Suite("JSON: parser and writer")
struct JSONTests {
    @Test(
        "a value is written as it was received",
        arguments: [
            #"{"b":1,"a":[true,false,null,"x"],"":{}}"#, #"[1.50,-3,9223372036854775808,1e5,-0]"#, #""é😀 \"\\\n\u0001""#, "[]", "0",
        ])
    func roundTrip(text: String) throws {
        #expect(try JSONValue(parsing: text).jsonText == text)
    }

    @Test("numbers outside Int64 keep their text")
    func numbers() throws {
        #expect(try JSONValue(parsing: "0.1") == .number("0.1"))
        #expect(try JSONValue(parsing: "-9223372036854775808") == .integer(.min))
        #expect(try JSONValue(parsing: "9223372036854775808") == .number("9223372036854775808"))
    }

    @Test("a duplicate key keeps its first place and its last value")
    func duplicateKey() throws {
        #expect(try JSONValue(parsing: #"{"a":1,"b":2,"a":3}"#).jsonText == #"{"a":3,"b":2}"#)
    }

    @Test("surrogate pairs join and lone surrogates become U+FFFD")
    func surrogates() throws {
        #expect(try JSONValue(parsing: #""\ud83d\ude00""#) == .string("😀"))
        #expect(try JSONValue(parsing: #""\ud83dx""#) == .string("\u{FFFD}x"))
        #expect(try JSONValue(parsing: #""\ud83d\u0041""#) == .string("\u{FFFD}A"))
    }

    @Test(
        "what is no JSON is refused at the right byte",
        arguments: [
            ("", 0, JSONError.Reason.unexpectedEnd), ("01", 0, .invalidNumber), ("1.", 0, .invalidNumber), ("+1", 0, .unexpectedByte),
            ("[1,]", 3, .unexpectedByte), (#"{"a"}"#, 4, .unexpectedByte), (#"{"a":1,}"#, 7, .unexpectedByte),
            ("\"a\nb\"", 2, .controlCharacter), (#""\x""#, 2, .invalidEscape), ("1 2", 2, .trailingBytes), ("nul", 0, .unexpectedEnd),
            ("\"abc", 4, .unexpectedEnd), ("[", 1, .unexpectedEnd), ("NaN", 0, .unexpectedByte),
        ])
    func refusals(text: String, offset: Int, reason: JSONError.Reason) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.reason == reason)
        if reason != .invalidNumber { #expect(error?.offset == offset) }
    }

    @Test("invalid UTF-8 is refused, plain and beside an escape")
    func invalidUTF8() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xC3, 0x28, 0x22]) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0x5C, 0x6E, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test("a million nested arrays are refused without a deep stack (attack 25)")
    func depth() throws {
        let text = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.reason == .tooDeep)
        let allowed = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(try JSONValue(parsing: allowed).jsonText == allowed)
    }

    @Test("an object with too many members is refused")
    func members() {
        let text = "{" + (0..<1_025).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.reason == .tooManyMembers)
    }

    @Test("every byte of a text may be the one that is changed: the parser answers, it never traps")
    func mutations() {
        let text = [UInt8](#"{"a":[1,2.5e3,"\u00e9\n"],"b":{"c":null,"d":true}}"#.utf8)
        for index in text.indices {
            for byte: UInt8 in [0, 0x22, 0x5C, 0x7B, 0x5D, 0x80, 0xFF, 0x2C] {
                var copy = text
                copy[index] = byte
                _ = try? JSONValue(parsing: copy)
                _ = try? JSONValue(parsing: Array(copy[..<index]))
            }
        }
    }

    @Test("bytes become numbered placeholders")
    func attachments() {
        var writer = JSONWriter()
        writer.value(["x", .bytes([1]), ["k": .bytes([2])]] as JSONValue)
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"["x",{"_placeholder":true,"num":0},{"k":{"_placeholder":true,"num":1}}]"#)
        #expect(writer.attachments == [[1], [2]])
    }
}
