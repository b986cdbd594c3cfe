internal import Testing

@testable internal import Cedar

@Suite("Evaluation")
struct EvaluationTests {
    static let table: [(String, Fixture.Outcome)] = [
        // Precedence and patterns.
        ("!principal has a", .error),
        (#""a*c" like "a\*c" && !("abc" like "a\*c")"#, .yes),
        (#""zzx" like "\u{2a}x""#, .yes), (#""zzx" like "\x2ax""#, .yes),
        (#""" like "" && "" like "*" && "abc" like "*b*" && "abcbc" like "a*bc" && "aab" like "*ab""#, .yes),
        (#""abc" like "a*d" || "abc" like "b*" || "ABC" like "abc" || "a" like """#, .no),
        ("\"\u{1F1E9}\u{1F1EA}\" like \"\u{1F1E9}*\"", .yes), (#""\r\n" like "\r*""#, .yes), (#"1 like "1""#, .error),
        // Scalars, not characters.
        (#""\u{e9}" == "e\u{301}""#, .no), ("\"\u{E9}\" == \"e\u{301}\"", .no), (#""\u{e9}" == "\u{E_9}""#, .yes),
        (#"[ "\u{e9}", "e\u{301}" ].containsAll(["e\u{301}"]) && {"\u{e9}": 1, "e\u{301}": 2}["e\u{301}"] == 2"#, .yes),
        (#"U::"\u{e9}" == U::"e\u{301}""#, .no),
        // Attributes.
        ("principal has rec.a.b && principal.rec.a.b == 1", .yes), ("principal has n.x", .error), ("principal has u.n", .no),
        ("principal has rec.a.b.c", .error), ("principal has rec.x.b", .no), ("principal has u.n.z", .no), ("principal.u.n == 1", .error),
        (#"U::"nope" has n || U::"nope".hasTag("t")"#, .no), ("context has x || {}.isEmpty()", .error), (#"{"": 1} has """#, .yes),
        (#"{"": 1}[""] == 1"#, .yes), (#"{a: 1}.b == 1"#, .error), ("1 .a == 1", .error), ("1 has a", .error), ("principal has t", .no),
        // Tags.
        (#"principal.hasTag("t") && principal.getTag("t") == "v""#, .yes), (#"principal.getTag("n") == 1"#, .error),
        (#"U::"nope".getTag("t") == 1"#, .error), (#"{}.hasTag("t")"#, .error), ("principal.hasTag(1)", .error),
        (#"principal.getTag(if true then "t" else "u") == "v""#, .yes),
        // Hierarchy.
        (#"principal in G::"h" && principal in [G::"x", G::"g"] && G::"g" in G::"h""#, .yes), (#"principal in [G::"h", 1]"#, .error),
        (#"principal in [G::"h", [G::"h"]]"#, .error), ("principal in []", .no), ("principal in 1", .error), (#"1 in G::"h""#, .error),
        ("principal is V in 1", .no), ("principal is U in 1", .error), (#"principal is U in G::"h""#, .yes), (#"U::"q" in U::"q""#, .yes),
        (#"U::"q" in [U::"p", U::"q"]"#, .yes), (#"G::"h" in G::"g""#, .no), ("1 is U", .error), (#"A::U::"a" is U"#, .no),
        (#"principal == U::"a" && action == Action::"x" && resource is R"#, .yes),
        // Equality and sets.
        (#"1 == "a" || [1,1] == [1]"#, .yes), ("[1,2] == [2,1] && [[1],[1,1]] == [[1]] && {a: 1, b: [2]} == {b: [2], a: 1}", .yes),
        ("{a: 1} == {a: 1, b: 2} || [] == {} || true == 1", .no),
        ("[1,2].contains(2) && [1,2].containsAll([1]) && [1,2].containsAny([3,2])", .yes),
        ("[].containsAll([]) && ![1].containsAny([]) && [].isEmpty() && ![1].isEmpty()", .yes), ("1 .contains(1)", .error),
        ("[1].containsAll(1)", .error), ("1 .containsAny([1])", .error), (#""".isEmpty()"#, .error), ("[1, 1 + true].isEmpty()", .error),
        // Booleans.
        ("false && 1", .no), ("true || 1", .yes), ("true && 1", .error), ("false || 1", .error), ("1 && true", .error),
        ("1 || true", .error),
        ("true && true && 1", .error), ("false && 1 && true", .no), ("(true && 1) || true", .error), ("if true then true else 1", .yes),
        ("if 1 then true else true", .error), ("if false then 1 + true == 1 else true", .yes), ("!1", .error), ("!!true", .yes),
        ("if true then 1 else 2", .error), ("1", .error), ("principal", .error),
        // Integers.
        ("9223372036854775807 + 1 == 0", .error), ("-9223372036854775808 - 1 == 0", .error), ("-(-9223372036854775808) == 0", .error),
        ("--9223372036854775808 == 0", .error), ("9223372036854775807 * 2 == 0", .error), ("-9223372036854775808 * -1 == 0", .error),
        ("1 + 2 * 3 == 7 && 1 - 2 - 3 == -4 && 2 * -3 == -6 && -(1) == -1", .yes), ("1 + true == 1", .error), (#"-"a" == 1"#, .error),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2", .yes), (#""a" < "b""#, .error), ("true < false", .error), ("1 != true", .yes),
        (#"5 < duration("1d")"#, .error), (#"duration("1d") < 5"#, .error), (#"decimal("1.0") < decimal("2.0")"#, .error),
        (#"ip("::1") <= ip("::1")"#, .error), (#"datetime("2024-01-01") < duration("1d")"#, .error),
    ]

    @Test("expressions come to what the language says", arguments: table)
    func evaluates(_ expression: String, _ outcome: Fixture.Outcome) throws {
        #expect(try Fixture.outcome(expression) == outcome)
    }

    @Test("the clauses of a policy are one conjunction, left to right")
    func clauses() throws {
        #expect(try Fixture.authorize("PSR when { true } unless { false } when { 1 == 1 };").decision == .allow)
        #expect(try Fixture.authorize("PSR when { false } when { 1 };").errors.isEmpty)
        #expect(try Fixture.authorize("PSR unless { true } when { 1 };").errors.isEmpty)
        #expect(try Fixture.authorize("PSR when { 1 } when { false };").errors == ["policy0"])
        #expect(try Fixture.authorize("PSR unless { 1 };").errors == ["policy0"])
        #expect(try Fixture.authorize("PSR when { true && true } when { true && 1 };").errors == ["policy0"])
        #expect(try Fixture.authorize(#"permit(principal == U::"b",action,resource) when { 1 };"#).errors.isEmpty)
    }

    @Test("an attribute is found among few and among many", arguments: [1, 2, 7, 8, 9, 30])
    func attributes(_ count: Int) throws {
        let fields = (1...count).map { "a\($0): \($0)" }.joined(separator: ", ")
        for number in 1...count { #expect(try Fixture.outcome("{\(fields)}.a\(number) == \(number)") == .yes) }
        #expect(try Fixture.outcome("{\(fields)} has a0 || {\(fields)} has a\(count + 1) || {\(fields)} has a") == .no)
        #expect(try Fixture.outcome("{\(fields)}.a0 == 1") == .error)
    }

    @Test("texts differ by any byte of any length")
    func texts() {
        for count in 1...40 {
            let text = String(repeating: "x", count: count)
            #expect(ExactString(text) == ExactString(String(text.reversed())))
            for place in 0..<count {
                var bytes = Array(text.utf8)
                bytes[place] = UInt8(ascii: "y")
                #expect(ExactString(text) != ExactString(utf8: bytes), "\(count) bytes, the one at \(place)")
            }
        }
    }

    @Test("an error says what went wrong, and where")
    func errors() throws {
        #expect(try Fixture.error("9223372036854775807 + 1 == 0") == .overflow)
        #expect(try Fixture.error("principal.x == 1") == .missingAttribute("x"))
        #expect(try Fixture.error("principal.u.n == 1") == .missingEntity(EntityUID(parsing: #"U::"zz""#)))
        #expect(try Fixture.error(#"principal.getTag("x") == 1"#) == .missingTag("x"))
        #expect(try Fixture.error("1 && true") == .type(expected: "a bool", found: "long"))
        let failure = try #require(try Fixture.authorize("PSR when {\n  true &&\n  principal.rec.x == 1 };").failures.first)
        #expect(failure.error.description == "line 3, column 3: there is no attribute \"x\"")
        let place = try #require(try Fixture.authorize(#"PSR when { ip("x").isIpv4() };"#).failures.first?.error)
        #expect(place.range.start.column == 42)
        #expect(place.message == "\"x\" is not an ip address; it is written like `10.0.0.0/8` or `2001:db8::/32`")
    }

    @Test("a policy above the limit of steps is an error, not a long wait")
    func steps() throws {
        let context = #"{"s": "\#(String(repeating: "a", count: 1 << 20))"}"#
        let pattern = String(repeating: "a*", count: 200) + "b"
        let response = try Fixture.authorize(#"PSR when { context.s like "\#(pattern)" };"#, context: context)
        guard case .limit? = response.failures.first?.error.kind else {
            Issue.record("the pattern was matched")
            return
        }
    }

    @Test("many policies together are an error where one alone is none; what is decided first is decided")
    func stepsOfAll() throws {
        let context = #"{"s": "\#(String(repeating: "a", count: 1 << 18))"}"#
        let costly = #"PSR when { context.s like "\#(String(repeating: "a*", count: 40))b" };"#
        let policies = Array(repeating: costly, count: 60).joined(separator: "\n")
        #expect(try Fixture.authorize(costly, context: context).failures.isEmpty)
        let response = try Fixture.authorize("PSR;\n" + policies, context: context)
        #expect(response.decision == .allow && response.reason == ["policy0"])
        #expect(!response.failures.isEmpty && response.failures.count < 60)
        #expect(response.errors.last == "policy60")
    }
}
