internal import Testing

@testable internal import Cedar

@Suite("Parser")
struct ParserTests {
    static let head = "permit(principal,action,resource)"

    /// Expressions that must parse.
    static let accepted = [
        "-9223372036854775808 == 1", "- 9223372036854775808 == 1", "--9223372036854775808 == 1", "007 == 7",
        "!!!!true", "- -1 == 1", "1 - -1 == 2", "1--1 == 2", "1 +-1 == 0", "-1 .a", "1 * 2 * 3 == 6",
        "!principal has a", "principal has a.b.c", #"principal has "a b""#, "principal.principal", "principal.when",
        "x::y::\"a\" == principal",
        #"principal == permit::when::"a""#, #"principal == principal::"a""#, #"principal["in"] && principal has "if""#,
        #"{"if": 1, when: 2,} == {}"#, "[1, 2,] == []", "if true then 1 == 1 else if false then true else false",
        "(if true then true else true) && [if true then 1 else 2,].isEmpty()", #"{a: if true then 1 else 2}.a == 1"#,
        "principal is U && principal in resource", "principal is U in resource && true", "principal is A::B",
        "context.contains", "context.contains(1)", "context.a.containsAll([1],)", "ip() == ip(1, 2)", #"ip("1.1.1.1").isInRange()"#,
        "1 < 2 || 1 <= 2 || 1 > 2 || 1 >= 2 || 1 != 2", #""\u{1_0}\x7f\0\'\"" == "a""#, "\"a\nb\t\" == \"\"",
        #""x" like "\*\u{2a}*""#, "true // comment\r && true", "true\u{A0}&&\u{2028}true", "principal.hasTag(\"a\" ) && true",
    ]

    /// Expressions that must not parse.
    static let refused = [
        "-(9223372036854775808) == 1", "9223372036854775808 == 1", "-9223372036854775809 == 1", "-9223372036854775808 .a", "!!!!!true",
        "-----1 == 1", "!-1", "-!true", "true && if true then true else true", "1 == if true then 1 else 2",
        "!if true then true else false",
        "1 < 2 < 3", "1 < 2 == true", "1 == 1 == 1", "principal has a == true", "principal is U == true", #""a" like "a" == true"#,
        "1 in 2 in 3", "principal is U in resource in resource", #"principal has a."b""#, #"principal has "a".b"#, "principal has (a)",
        #"principal has a["b"]"#, "principal has a::b", "principal has 1", "principal has a has b", "principal has if", "principal.in",
        "principal has __cedar", #"principal == U::if::"a""#, "{in: 1} == {}", "{a: 1, a: 2} == {}", #"{a: 1, "a": 2} == {}"#, "1 / 2 == 1",
        "1 % 2 == 1", "1 = 1", #""a" like ("a")"#, #""a" like context.a"#, "context[a]", #"context[("a")]"#, #"principal is "U""#,
        "principal is (U)", "principal is in", "?principal == principal", "?x", "foo", "foo(1)", "a::ip(\"1.1.1.1\")", "unknown(\"a\")",
        "context.nope(1)", "isIpv4(1)", "context.ip(1)", "context.contains()", "context.contains(1, 2)", "context.isEmpty(1)",
        "context.getTag()", #"ip("a")("b")"#, #"context["contains"](1)"#, "principal()", #"U::{a: 1}"#, "", "()", "[,]", "{,}", "[1 2]",
        #""\v""#, #""\/""#, #""\u0041""#, #""\*""#, #""\x80""#, #""\x8""#, #""\u{}""#, #""\u{_1}""#, #""\u{d800}""#, #""\u{1234567}""#,
        #""\u{110000}""#, "\"\r\"", "\"\\\n\"", "'a'", "\"a", "true \u{200B}", "if true then 1", "if true 1 else 2", "true true",
        "tru\u{E9}",
        "1 + 2 has a + 1", "principal like", "true &", "true && ", "a.b", "true::\"a\"", "\u{663} == 1", "(true", "[1", "{a 1}", "{a:}",
    ]

    @Test("what the grammar has is read", arguments: accepted)
    func accepts(_ expression: String) throws {
        _ = try PolicySet(parsing: "\(Self.head) when { \(expression) };")
    }

    @Test("what the grammar has not is refused", arguments: refused)
    func refuses(_ expression: String) {
        #expect(throws: ParseError.self) { try PolicySet(parsing: "\(Self.head) when { \(expression) };") }
    }

    @Test(
        "scopes and policies that are read",
        arguments: [
            "", "permit(principal,action,resource,);", "forbid(principal == U::\"a\", action in [], resource is N::T);",
            "permit(principal is U in G::\"g\", action == N::Action::\"x\", resource in ((R::\"r\")));",
            "permit(principal == ?principal, action in [Action::\"a\", Action::\"b\",], resource is T in ?resource) unless { true } when { false };",
            "@if @__cedar(\"\") @id(\"a\\n\") permit(principal,action,resource);", "permit(principal,action,resource) when {true};// end",
        ])
    func acceptsPolicies(_ text: String) throws {
        _ = try PolicySet(parsing: text)
    }

    @Test(
        "scopes and policies that are refused",
        arguments: [
            "permit(principal, action == A::\"x\", resource);", "permit(principal, action == Action::N::\"x\", resource);",
            "permit(principal, action, resource)", "permit(principal, action, resource);;", "permit(action, principal, resource);",
            "permit(principal, action);", "permit(principal, principal, action, resource);", "permit(principal: U, action, resource);",
            "permit(principal != U::\"a\", action, resource);", "permit(principal in [U::\"a\"], action, resource);",
            "permit(principal is T == U::\"a\", action, resource);", "permit(principal, action is T, resource);",
            "permit(principal, action == [Action::\"a\"], resource);", "permit(principal == 1, action, resource);",
            "permit(principal == ?resource, action, resource);", "permit(principal, action == ?action, resource);",
            "permit(principal, action, resource) when {};", "permit(principal, action, resource) when true;",
            "deny(principal,action,resource);",
            "@a() permit(principal,action,resource);", "@a @a permit(principal,action,resource);",
            "@\"a\" permit(principal,action,resource);",
            "permit(principal, action, resource,,);", "\u{FEFF}permit(principal,action,resource);",
            "permit(principal, action in [,], resource);",
        ])
    func refusesPolicies(_ text: String) {
        #expect(throws: ParseError.self) { try PolicySet(parsing: text) }
    }

    @Test("brackets leave no trace, and the tree leans left")
    func structure() throws {
        func body(_ text: String) throws -> Expr {
            try #require(try PolicySet(parsing: "\(Self.head) when { \(text) };").policies.first?.conditions.first?.body)
        }
        #expect(try body("(true && false) && true") == body("true && false && true"))
        #expect(try body("true && (false && true)") != body("true && false && true"))
        #expect(try body(#"context["a"]"#) == body("(context).a"))
        #expect(try body("1 > 2") == body("!(1 <= 2)"))
        #expect(try body("1 - 2 - 3") == body("(1 - 2) - 3"))
        #expect(try body("1 + 2 * 3") == body("1 + (2 * 3)"))
        #expect(try body("1 - 2 - 3") != body("1 - (2 - 3)"))
        #expect(try body("-1") != body("-(1)"))
        #expect(try body("a::\"b\" == c::\"d\"").children.map(\.nodeCount) == [1, 1])
        #expect(try body("!context has a.b").kind == .has(["a", "b"]))
        #expect(try body("true || false && true").kind == .or(2))
        #expect(try body("\"\u{E9}\"") != body("\"e\u{301}\""))
    }

    @Test("a fault names its line, its column and what was expected")
    func places() throws {
        let error = try #require(throws: ParseError.self) { try PolicySet(parsing: "\(Self.head) when {\n  \"\u{E9}\" == 1 =\n};") }
        #expect(error.description == "line 2, column 12: expected `}` to close the braces of `when`, found `=`; equality is written `==`")
    }
}
