import Foundation
import JSON
import Testing

/// Typed values of JSON and back, rule by rule. Needs nothing.
@Suite("JSON: coding of types")
struct CodingTests {
    private static func rule<T: Decodable>(_ text: String, _ type: T.Type) -> JSONCodingError? {
        guard let json = try? JSONValue(parsing: text) else {
            Issue.record("no JSON: \(text)")
            return nil
        }
        do throws(JSONCodingError) {
            _ = try json.decoded(as: type)
            return nil
        } catch {
            return error
        }
    }

    @Test("Whole numbers are exact, whatever they are written as")
    func wholeNumbers() throws {
        #expect(try JSONValue(parsing: "[1.0,1e3,-0,120e-1]").decoded(as: [Int].self) == [1, 1000, 0, 12])
        #expect(try JSONValue(parsing: "18446744073709551615").decoded(as: UInt64.self) == .max)
        #expect(try JSONValue(parsing: "9007199254740993").decoded(as: Int.self) == 9_007_199_254_740_993)
        #expect(try JSONValue(parsing: "-170141183460469231731687303715884105728").decoded(as: Int128.self) == .min)
        #expect(try JSONValue(parsing: "340282366920938463463374607431768211455").decoded(as: UInt128.self) == .max)
    }

    @Test(
        "A number that the type does not hold is refused, and the rule says what it holds",
        arguments: ["256", "-1", "1.5", "1e3", "1e999999", "99999999999999999999999", "\"1\"", "true", "-1e0"])
    func refusedNumbers(text: String) {
        #expect(Self.rule(text, UInt8.self) == JSONCodingError(path: "", rule: .integer(min: "0", max: "255")))
    }

    @Test("A binary fraction is the closest one; what is beyond all of them is refused")
    func fractions() throws {
        #expect(try JSONValue(parsing: "[0.1,1,9007199254740993,1e-400]").decoded(as: [Double].self) == [0.1, 1, 9_007_199_254_740_992, 0])
        #expect(Self.rule("1e400", Double.self)?.rule == .number)
        #expect(Self.rule("1e39", Float.self)?.rule == .number)
        #expect(throws: JSONCodingError(path: "/1", rule: .number)) { try JSONValue(encoding: [1, Double.nan]) }
        #expect(try JSONValue(encoding: [1.0, -0.0, 0.1, 1e300, 9_007_199_254_740_992]).jsonText == "[1,-0.0,0.1,1e+300,9007199254740992]")
    }

    @Test("What does not fit is named by its place and its rule, and by nothing that was sent or that a type says")
    func places() {
        #expect(Self.rule(#"{"a":[{"b":1}]}"#, [String: [[String: Int]]].self) == nil)
        let cases: [(String, String, JSONRule)] = [
            (#"{"a":[{"b":"x"}]}"#, "/a/0/b", .integer(min: "\(Int.min)", max: "\(Int.max)")), (#"{"a/~":3}"#, "/a~1~0", .array),
            (#"{"a":[null]}"#, "/a/0", .notNull), (#"{"a":[[]]}"#, "/a/0", .object), ("[]", "", .object), ("null", "", .notNull),
        ]
        for (text, path, rule) in cases {
            #expect(Self.rule(text, [String: [[String: Int]]].self) == JSONCodingError(path: path, rule: rule), "\(text)")
        }
        #expect(Self.rule("{}", Order.Line.self) == JSONCodingError(path: "/name", rule: .present))
        #expect(Self.rule("[]", Pair.self) == JSONCodingError(path: "/0", rule: .present))
        #expect(Self.rule(#""secret""#, Order.State.self) == JSONCodingError(path: "", rule: .allowed))
        let refused = Self.rule(#"[{"value":"secret"}]"#, [Picky].self)
        #expect(refused == JSONCodingError(path: "/0", rule: .allowed))
        #expect(refused?.description == "/0 must be one of the values that are allowed")
    }

    private struct Pair: Decodable {
        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            _ = try container.decode(Int.self)
        }
    }

    private struct Picky: Decodable {
        struct Secret: Error { let text: String }
        let value: String

        init(from decoder: any Decoder) throws {
            throw Secret(text: "what was sent, and where our keys are")
        }
    }

    @Test("An optional may be missing or null, a property that nothing is said of may be there") func optionals() throws {
        struct Note: Codable, Equatable {
            var title: String
            var text: String?
        }
        for text in [#"{"title":"x"}"#, #"{"title":"x","text":null,"more":[1]}"#] {
            #expect(try JSONValue(parsing: text).decoded(as: Note.self) == Note(title: "x", text: nil))
        }
        #expect(try JSONValue(encoding: Note(title: "x", text: nil)).jsonText == #"{"title":"x"}"#)
        #expect(try JSONValue(encoding: [1, nil]).jsonText == "[1,null]")
        #expect(try JSONValue.null.decoded(as: Int?.self) == nil)
        #expect(try JSONValue(parsing: "[3]").decoded(as: [Int?]?.self) == [3])
    }

    @Test("Bytes are bytes in a property, an element and Foundation's Data; numbers are taken for them") func bytes() throws {
        struct File: Codable, Equatable {
            var name: String
            var content: [UInt8]
            var data: Data
        }
        let file = File(name: "x", content: [1, 2, 255], data: Data([3, 4]))
        let json = try JSONValue(encoding: file)
        #expect(json["content"] == .bytes([1, 2, 255]) && json["data"] == .bytes([3, 4]))
        #expect(try json.decoded(as: File.self) == file)
        #expect(try JSONValue(parsing: #"{"name":"x","content":[1,2,255],"data":[3,4]}"#).decoded(as: File.self) == file)
        #expect(try JSONValue(encoding: Data()) == .bytes([]))
        #expect(try JSONValue.bytes([7]).decoded(as: [UInt8].self) == [7])
        #expect(Self.rule("[1,256]", [UInt8].self) == JSONCodingError(path: "", rule: .bytes))
        #expect(Self.rule("[1,256]", Data.self)?.path == "/1")
        #expect(Self.rule(#""AQ==""#, [UInt8].self)?.rule == .bytes)
        #expect(try JSONValue(encoding: [UInt16(1), 2]).jsonText == "[1,2]")
    }

    @Test("Any JSON may stand for itself, in our coders and in Foundation's") func anything() throws {
        struct Envelope: Codable, Equatable {
            var kind: String
            var body: JSONValue
        }
        let text = #"{"kind":"x","body":{"z":[1,2.50,null,true,"é"],"a":18446744073709551616}}"#
        let envelope = try JSONValue(parsing: text).decoded(as: Envelope.self)
        #expect(try JSONValue(encoding: envelope).jsonText == text)
        let plain = Envelope(kind: "x", body: ["a": [1, .number("2.5"), .null, true, "é"]])
        #expect(try JSONDecoder().decode(Envelope.self, from: JSONEncoder().encode(plain)) == plain)
    }

    @Test("A class asks for its superclass's part") func classes() throws {
        let json = try JSONValue(encoding: Dog(name: "Rex"))
        #expect(json.jsonText == #"{"name":"Rex","super":{"legs":4}}"#)
        let dog = try json.decoded(as: Dog.self)
        #expect(dog.name == "Rex" && dog.legs == 4)
        #expect(Self.rule(#"{"name":"Rex","super":{"legs":"four"}}"#, Dog.self)?.path == "/super/legs")
    }

    @Test("An object with as many members as the parser lets through is read in linear time, the last of equal keys first") func wide()
        throws
    {
        let pairs = (0..<1_024).map { ("key\($0)", JSONValue.integer(Int64($0))) }
        let read = try JSONValue.object(JSONObject(pairs)).decoded(as: [String: Int].self)
        #expect(read.count == 1_024 && read["key1023"] == 1_023)
    }

    @Test("Nesting is bounded both ways (attack 25)") func depth() throws {
        #expect(try JSONValue(encoding: Tree.chain(60)).decoded(as: Tree.self) == Tree.chain(60))
        #expect(throws: JSONCodingError.self) { try JSONValue(encoding: Tree.chain(100_000 / 100), depth: 128) }
        let deep = (0..<1_000).reduce(JSONValue.array([])) { json, _ in .object(JSONObject([("children", .array([json]))])) }
        do throws(JSONCodingError) {
            _ = try deep.decoded(as: Tree.self)
            Issue.record("a thousand levels were read")
        } catch {
            #expect(error.rule == .shallow)
        }
        #expect(Self.rule("1", Endless.self)?.rule == .shallow)
    }

    /// Asks for itself for ever.
    private struct Endless: Decodable {
        init(from decoder: any Decoder) throws { self = try decoder.singleValueContainer().decode(Endless.self) }
    }
}
