internal import Testing

@testable internal import Cedar

@Suite("Formatter")
struct FormatterTests {
    @Test("what fits in a line stands in one")
    func short() throws {
        let text = #"""
            @id ("a") permit(principal==U::"a",action in[Action::"x",],resource is R)when{((principal).n)!=1&&(true||false)}unless{false};
            forbid(principal,action,resource);
            """#
        #expect(
            try PolicyFormatter.format(text) == #"""
                @id("a")
                permit (principal == U::"a", action in [Action::"x"], resource is R)
                when { principal.n != 1 && (true || false) }
                unless { false };

                forbid (principal, action, resource);

                """#)
    }

    @Test("what does not fit is broken at its outermost joints")
    func long() throws {
        let name = String(repeating: "long", count: 12)
        let text = """
            permit(principal == Some::Namespace::User::"\(name)", action == Action::"x", resource in Folder::"\(name)")
            when { principal.\(name) && (resource.\(name) == 1 || [context.a, context.\(name), context.b].contains("\(name)")) && context.c };
            """
        #expect(
            try PolicyFormatter.format(text) == """
                permit (
                  principal == Some::Namespace::User::"\(name)",
                  action == Action::"x",
                  resource in Folder::"\(name)"
                )
                when {
                  principal.\(name) &&
                  (
                    resource.\(name) == 1 ||
                    [context.a, context.\(name), context.b].contains(
                      "\(name)"
                    )
                  ) &&
                  context.c
                };

                """)
    }

    @Test("comments around policies keep their places")
    func comments() throws {
        let text = """
            // The rules of the shop.

            //   Who may buy.\t
            // And where.
            @id("buy") permit(principal,action,resource); // all
            // Who may not.


            forbid(principal,action,resource) when { false };

            // The end.
            """
        let wanted = """
            // The rules of the shop.

            //   Who may buy.
            // And where.
            @id("buy")
            permit (principal, action, resource); // all

            // Who may not.

            forbid (principal, action, resource)
            when { false };

            // The end.

            """
        #expect(try PolicyFormatter.format(text) == wanted)
        #expect(try PolicyFormatter.format(wanted) == wanted)
        #expect(try PolicyFormatter.format("// a\r\n// b") == "// a\n// b\n")
        #expect(try PolicyFormatter.format("").isEmpty)
    }

    @Test(
        "a comment inside a policy is refused, with its place",
        arguments: ["@id(\"a\")\n// why\npermit(principal,action,resource);", "permit(principal,\n// why\naction,resource);"])
    func commentsInside(_ text: String) throws {
        let error = try #require(throws: ParseError.self) { try PolicyFormatter.format(text) }
        #expect(error.range.start.line == 2)
    }

    @Test(
        "what is printed reads as what was given",
        arguments: ParserTests.accepted + EvaluationTests.table.map(\.0) + ExtensionTests.table.map(\.0))
    func roundTrip(_ expression: String) throws {
        let policies = try PolicySet(parsing: "permit(principal,action,resource) when { \(expression) };").policies
        let printed = PolicyFormatter.format(policies)
        #expect(try PolicySet(parsing: printed).policies == policies)
        #expect(try PolicyFormatter.format(printed) == printed)
    }

    @Test(
        "brackets stay where they mean something",
        arguments: [
            "!(!true)", "-(1)", "-(-1)", "-(-(1))", "(-1).a", "1 - (2 - 3)", "1 * (2 * 3)", "(1 + 2) * 3", "!(1 == 2 && true)",
            "!(principal has a)",
            "(if true then 1 else 2) + 1", "true && (true && true)", "true || (true || true)", "(true || false) && true",
            "(1 == 1) == true",
            "(principal is U) == true", "[if true then 1 else 2]", #"principal["a b"].c["if"]"#, "!(1 != 2)", "(1 < 2) != true", "-1.a",
            "(principal has a) has b", #"("a" like "b") like "c""#, "(1 in 2) in 3", "principal is U in (1 in 2)", "(1 + 2).a",
            #"{"a b": 1, "if": 2, c: 3}"#,
        ])
    func brackets(_ expression: String) throws {
        let printed = try PolicyFormatter.format("permit(principal,action,resource) when { \(expression) };")
        #expect(printed == "permit (principal, action, resource)\nwhen { \(expression) };\n")
    }
}
