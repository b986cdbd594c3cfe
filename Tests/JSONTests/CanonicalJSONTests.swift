import JSON
import Testing

@Suite("JSON: the canonical text")
struct CanonicalJSONTests {
    private func canonical(_ text: String) throws -> String {
        String(decoding: try JSONValue(strictlyParsing: [UInt8](text.utf8)).canonicalBytes, as: UTF8.self)
    }

    @Test("keys are sorted by UTF-16 code units, at every depth (RFC 8785, 3.2.3)")
    func keys() throws {
        let text = #"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7,"b":[{"z":1,"a":2}]}"#
        let expected = "{\"\\r\":2,\"1\":4,\"b\":[{\"a\":2,\"z\":1}],\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{FB33}\":3}"
        #expect(try canonical(text) == expected)
    }

    @Test(
        "a number has one text, whoever wrote it",
        arguments: [
            ("1.50", "1.5"), ("1.5", "1.5"), ("15e-1", "1.5"), ("0.15E+1", "1.5"), ("1.0", "1"), ("1", "1"), ("1e3", "1000"), ("0.0", "0"),
            ("0e9", "0"),
            ("-20.00", "-20"), ("9223372036854775807", "9223372036854775807"), ("1e18", "1000000000000000000"), ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"), ("12.5e-8", "1.25e-7"), ("-0.00123", "-0.00123"), ("123456789012.345", "123456789012.345"),
            ("1e-307", "1e-307"),
        ])
    func numbers(text: String, expected: String) throws { #expect(try canonical(text) == expected) }

    @Test("numbers that only a tolerant parser accepts have one text too")
    func tolerantNumbers() throws {
        let cases = [
            ("-0", "0"), ("1e21", "1e+21"), ("1e20", "100000000000000000000"), ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ]
        for (text, expected) in cases { #expect(try JSONValue(parsing: text).canonicalBytes == [UInt8](expected.utf8)) }
        let long = String(repeating: "7", count: 30)
        #expect(try JSONValue(parsing: long).canonicalBytes == [UInt8]("7.\(String(repeating: "7", count: 29))e+29".utf8))
        #expect(JSONValue.number("1e99999999").canonicalBytes == [UInt8]("1e99999999".utf8))
    }

    @Test("only what must be escaped is, and spaces go")
    func strings() throws {
        #expect(try canonical(#" [ "\u20ac$\u000f\nA'\u0042\u0022\\\"\/" , true , null ] "#) == #"["€$\u000f\nA'B\"\\\"/",true,null]"#)
    }

    @Test("the order of members does not matter, that of elements does")
    func order() throws {
        #expect(try canonical(#"{"a":1,"b":[1,2]}"#) == canonical(#"{"b":[1,2],"a":1.0}"#))
        #expect(try canonical("[1,2]") != canonical("[2,1]"))
    }
}
