import JSON
import Supervisor
import Testing

@Suite("The schema of arguments")
struct SchemaTests {
    static func object(_ property: JSONValue) -> JSONValue {
        ["type": "object", "additionalProperties": false, "required": ["x"], "properties": ["x": property]]
    }

    static func rule(_ property: JSONValue, _ value: JSONValue) throws -> String? {
        let schema = try ArgumentSchema(object(property))
        do { try schema.validate(JSONObject([("x", value)])) } catch { return error.rule }
        return nil
    }

    @Test(
        "values on each side of each keyword",
        arguments: [
            (["type": "integer", "minimum": 1, "maximum": 3], 1, nil), (["type": "integer", "minimum": 1, "maximum": 3], 3, nil),
            (["type": "integer", "minimum": 1, "maximum": 3], 0, "minimum"),
            (["type": "integer", "minimum": 1, "maximum": 3], 4, "maximum"),
            (["type": "integer"], "1", "type"), (["type": "integer"], .number("1.5"), "type"), (["type": "boolean"], 1, "type"),
            (["type": "string", "minLength": 2, "maxLength": 3], "ab", nil),
            (["type": "string", "minLength": 2, "maxLength": 3], "a", "minLength"),
            (["type": "string", "minLength": 2, "maxLength": 3], "abcd", "maxLength"),
            (["type": "string", "maxLength": 1], "\u{1F600}", nil),
            (["type": ["string", "null"]], .null, nil), (["type": "string"], .null, "type"), (["type": "null"], .null, nil),
            (["type": "string", "enum": ["EUR", "USD"]], "EUR", nil), (["type": "string", "enum": ["EUR"]], "eur", "enum"),
            (["type": "string", "enum": ["K"]], "\u{212A}", "enum"), (["type": "integer", "const": 5], 6, "enum"),
            (["type": "array", "items": ["type": "integer"], "minItems": 1, "maxItems": 2], [1, 2], nil),
            (["type": "array", "items": ["type": "integer"], "minItems": 1], [], "minItems"),
            (["type": "array", "items": ["type": "integer"], "maxItems": 1], [1, 2], "maxItems"),
            (["type": "array", "items": ["type": "integer"], "uniqueItems": true], [1, 1], "uniqueItems"),
            (["type": "array", "items": ["type": "integer"]], ["a"], "type"),
            (["type": "string", "format": "date"], "2024-02-29", nil), (["type": "string", "format": "date"], "2023-02-29", "format"),
            (["type": "string", "format": "date"], "2023-1-1", "format"),
        ] as [(JSONValue, JSONValue, String?)])
    func keywords(property: JSONValue, value: JSONValue, rule: String?) throws {
        #expect(try Self.rule(property, value) == rule)
    }

    @Test(
        "60: decimals are compared as decimals, and have one spelling that programs agree on",
        arguments: [
            ("0.01", nil), ("50.00", nil), ("50", nil), ("50.001", "multipleOf"), ("50.01", "maximum"), ("0", "minimum"), ("-1", "minimum"),
            ("-0", "format"), ("+1", "format"), ("01", "format"), ("1e1", "format"), ("1.", "format"), (".5", "format"), ("", "format"),
            ("1,5", "format"), ("9999999999999999999", "format"), ("NaN", "format"), ("\u{0661}", "format"), (" 1", "format"),
        ])
    func decimals(text: String, rule: String?) throws {
        let amount: JSONValue = ["type": "string", "format": "decimal", "minimum": "0.01", "maximum": "50.00", "multipleOf": "0.01"]
        #expect(try Self.rule(amount, .string(text)) == rule)
    }

    @Test("errors name the place and the rule")
    func places() throws {
        let schema = try ArgumentSchema(
            Self.object(["type": "array", "items": Self.object(["type": "integer", "maximum": 9])]))
        #expect(throws: ArgumentError(path: "x[1].x", rule: "maximum", message: "x[1].x is more than 9")) {
            try schema.validate(JSONObject([("x", [["x": 1], ["x": 10]])]))
        }
        #expect(throws: ArgumentError(path: "x", rule: "required", message: "x is missing")) { try schema.validate(JSONObject()) }
    }

    @Test(
        "a schema outside the subset is refused by its keyword",
        arguments: [
            (["type": "number"], "type"), (["type": "float"], "type"), ([:], "type"), (["type": ["string", "integer"]], "type"),
            (["type": "object", "properties": [:]], "additionalProperties"),
            (["type": "object", "additionalProperties": true], "additionalProperties"),
            (["type": "object", "additionalProperties": false, "required": ["y"]], "required"),
            (["type": "object", "additionalProperties": false, "properties": ["a b": ["type": "null"]]], "properties"),
            (["type": "array"], "items"), (["type": "string", "anyOf": []], "unknown_key"),
            (["type": "string", "default": "a"], "unknown_key"),
            (["type": "string", "format": "email"], "format"), (["type": "string", "minimum": "1"], "unknown_key"),
            (["type": "integer", "minimum": .number("0.5")], "minimum"), (["type": "integer", "minimum": 2, "maximum": 1], "maximum"),
            (["type": "string", "format": "decimal", "minimum": 1], "minimum"),
            (["type": "string", "format": "decimal", "multipleOf": "0.05"], "multipleOf"),
            (["type": "string", "enum": []], "enum"), (["type": "string", "enum": [1]], "enum"),
            (["type": "string", "minLength": -1], "minLength"),
            (["type": "string", "pattern": "(a+"], "pattern"), (["$ref": "#"], "type"),
        ] as [(JSONValue, String)])
    func mistakes(property: JSONValue, rule: String) throws {
        do {
            _ = try ArgumentSchema(Self.object(property))
            Issue.record("was taken")
        } catch {
            #expect(error.rule == rule)
            #expect(error.path.hasPrefix("properties.x"))
        }
    }

    @Test(
        "patterns match whole texts",
        arguments: [
            ("^[A-Z]{2}-\\d{3,5}$", "AB-123", true), ("^[A-Z]{2}-\\d{3,5}$", "AB-12", false), ("^[A-Z]{2}-\\d{3,5}$", "AB-123456", false),
            ("^(a|bc)*$", "abcbca", true), ("^(a|bc)*$", "abcb", false), ("^a?b+$", "bbb", true), ("^a?b+$", "aab", false),
            ("^$", "", true),
            ("^$", "a", false), ("^[^/]+$", "a b", true), ("^[^/]+$", "a/b", false), ("^\\w+@\\w+\\.de$", "ann@shop.de", true),
            ("^.$", "\u{1F600}", true), ("^[a-]+$", "a-a", true), ("^x{0,2}$", "xxx", false), ("^\\d$", "\u{0661}", false),
            ("^a$", "a\n", false),
        ])
    func patterns(pattern: String, text: String, fits: Bool) throws {
        #expect(try (Self.rule(["type": "string", "pattern": .string(pattern)], .string(text)) == nil) == fits)
    }

    @Test("69: an expression that other engines take years for is answered at once")
    func linear() throws {
        let text = String(repeating: "a", count: 20_000) + "!"
        for pattern in ["^(a+)+$", "^(a|a)*$", "^(a*)*b$", "^(a?){30}a{30}$"] {
            #expect(try Self.rule(["type": "string", "pattern": .string(pattern)], .string(text)) == "pattern")
        }
    }

    @Test(
        "patterns outside the subset are refused",
        arguments: [
            "a", "^a", "a$", "^a|b$", "^(?=a)a$", "^(a$", "^a)$", "^[a$", "^a**$", "^a+?$", "^\\1$", "^\\bx$", "^a{2,1}$", "^{2}$",
            "^[z-a]$",
            "^[]$", "^(a{500}){500}$", "^a\\$", "^\\p{L}$",
        ])
    func patternMistakes(pattern: String) {
        #expect(throws: CatalogError.self) { try Self.rule(["type": "string", "pattern": .string(pattern)], "") }
    }

    @Test("depth and size are bounded")
    func bounds() throws {
        var deep: JSONValue = ["type": "integer"]
        for _ in 0..<14 { deep = ["type": "array", "items": deep] }
        _ = try ArgumentSchema(Self.object(deep))
        do {
            _ = try ArgumentSchema(Self.object(["type": "array", "items": deep]))
            Issue.record("was taken")
        } catch { #expect(error.rule == "depth") }
        var wide = JSONObject()
        for index in 0..<SupervisorLimits.schemaNodesMax { wide["p\(index)"] = ["type": "null"] }
        do {
            _ = try ArgumentSchema(["type": "object", "additionalProperties": false, "properties": .object(wide)])
            Issue.record("was taken")
        } catch { #expect(error.rule == "size") }
    }
}
