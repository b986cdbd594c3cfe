import Testing

@testable import Cedar

@Suite("Validation of policies")
struct ValidationTests {
    @Test(
        arguments: [
            #"1 == "a""#, #"-1 == "a""#, #"(1) == ("a")"#, "1 == 1 && true", #"principal == G::"x" && principal.nope"#,
            "principal has orec.y && principal.orec.y == 1", "principal has nope && 1", #"false && ip("bad").isIpv4()"#,
            "false && [] == []", "true || 1", "true || []", "if true then true else 1", "if false then 1 else true",
            "principal is V && principal.nope", "principal is U || 1", "!(principal is V) || 1",
            "principal has on && principal.on == 1", #"principal has on && principal["on"] == 1"#,
            #"principal has "on" && (principal).on == 1"#, "principal has on && (principal.on == 1 || principal.on < 3)",
            "if principal has on then principal.on == 1 else false", "if !(principal has on) then true else true",
            "(principal has on && principal.b) && principal.on == 1", "(principal has on || principal has on) && principal.on == 1",
            "(principal has on && true) && principal.on == 1", "(principal has on || false) && principal.on == 1",
            "(false || principal has on) && principal.on == 1", "(principal.b && principal has on) && principal.on == 1",
            "(if principal.b then principal has on else principal has on) && principal.on == 1",
            "(if principal has on then true else principal has on) && principal.on == 1",
            "(if true then principal has on else false) && principal.on == 1", "context has a && context.a == 1",
            "principal has ou && principal.ou has on && principal.ou.on == 1",
            "principal has ou.on && principal.ou.on == 1", "principal.u has on && principal.u.on == 1",
            "principal has rec.r.z && principal.rec.r.z == 1", "principal.rec has a", "principal.rec has r && principal.rec.r has z",
            "resource.hasTag(\"a\") && resource.getTag(\"a\") == \"x\"", "principal.hasTag(\"a\") && principal.getTag(\"a\") == \"x\"",
            "principal.hasTag(principal.s) && principal.getTag(principal.s) like \"x*\"",
            "principal.hasTag(\"a\") && principal.hasTag(\"a\") && principal.getTag(\"a\") == \"\"",
            "action.hasTag(\"x\") && 1", "action has x && 1", "principal.e has x && 1", "principal.e.hasTag(\"x\") && 1",
            #"principal.e == E::"a""#, "principal.e == principal.e", "principal == resource", "principal == principal.e",
            "[principal, principal.u].contains(principal)", "principal.longs.contains(1)", "[true, false].contains(principal.b)",
            "[true].contains(false)", "principal.longs.containsAll([1, 2])", "principal.longs.containsAny([1])",
            "principal.longs.isEmpty()",
            "[[1], [2]].contains([3])", "{a: true} == {a: false}", "{a: 1, b: \"x\"} == {b: \"y\", a: 2}", "{a: principal.b} == {a: true}",
            "if principal.b then true else principal.b", "[if principal.b then {a: true} else {a: false}].contains({a: principal.b})",
            "principal.n + 1 * 2 - -principal.n < 3", "principal.n <= 2", "principal.n > 2", "principal.n >= 2", "principal.n != 2",
            "principal.dt < datetime(\"2024-01-01\")", "principal.du <= duration(\"1h\")",
            "principal.dt.offset(principal.du) > principal.dt",
            "principal.dt.durationSince(principal.dt) == principal.dt.toTime()", "principal.dt.toDate() == principal.dt",
            "principal.du.toDays() == 1", "principal.ip.isInRange(ip(\"10.0.0.0/8\"))",
            "principal.ip.isIpv4() || principal.ip.isLoopback()",
            "principal.dec.lessThan(decimal(\"1.5\"))", "ip((\"1.2.3.4\")) == principal.ip", "principal.s like \"a*\"",
            "principal in G::\"a\"", "principal in [G::\"a\", G::\"b\"]", "principal in H::\"h\"", "principal in principal",
            "principal in R::\"r\"", "R::\"r\" in principal || true", "U::\"a\" in U::\"a\"", "principal is U in G::\"x\"",
            "principal is V in G::\"x\"", "principal is U in [G::\"x\"]", "principal is V in 1",
            "action in Action::\"z\"", "action in [Action::\"x\", Action::\"w\"]", "action == Action::\"x\"", "action in action",
            "action == Action::\"y\" && 1", "action in Action::\"w\" && 1", "Action::\"w\" in Action::\"z\" && 1",
            "action in U::\"x\" && 1",
            "action in Action::\"z\" || 1", "action == Action::\"x\" || 1", "action is Action || 1", "action is U && 1",
            "1 == \"a\" && 1", "true == 1 && 1", "U::\"a\" == 1 && true", "U::\"a\" == U::\"a\" || 1",
            "principal has n && principal.n == 1",
        ])
    func passes(_ condition: String) throws {
        let report = try ValidationFixture.report(condition: condition)
        #expect(report.errors == [])
    }

    @Test(
        arguments: [
            (#"-(1) == "a""#, .noCommonType), (#"principal.n == "a""#, .noCommonType), ("[] == [1]", .emptySet),
            ("principal has on || principal.on == 1", .unguardedAttribute), ("principal.on == 1", .unguardedAttribute),
            ("principal.ou has on || true", .unguardedAttribute),
            ("(if principal.b then principal has on else false) && principal.on == 1", .unguardedAttribute),
            ("(if principal has on then true else false) && principal.on == 1", .unguardedAttribute),
            ("(principal has on || true) && principal.on == 1", .unguardedAttribute),
            ("((principal has on) == true) && principal.on == 1", .unguardedAttribute),
            ("!(principal has on) && principal.on == 1", .unguardedAttribute),
            ("if !(principal has on) then true else principal.on == 1", .unguardedAttribute),
            ("principal has on && principal.u.on == 1", .unguardedAttribute),
            ("U::\"a\" has on && U::\"b\".on == 1", .unguardedAttribute), ("context.a == 1", .unguardedAttribute),
            ("principal.orec.x == 1", .unguardedAttribute), ("principal has orec && principal.orec.y == 1", .unguardedAttribute),
            ("principal.b == true && principal.ou has on", .unguardedAttribute),
            ("principal has n || 1", .unexpectedType), ("1 && true", .unexpectedType), ("true && 1", .unexpectedType),
            ("1", .unexpectedType), ("principal.b || 1", .unexpectedType), ("if 1 then true else true", .unexpectedType),
            ("!1", .unexpectedType), ("-true == 1", .unexpectedType), ("1 + true == 1", .unexpectedType),
            ("\"a\" * 1 == 1", .unexpectedType),
            ("if principal.b then 1 else true", .noCommonType), ("if principal.b then principal else resource", .noCommonType),
            ("false && principal is Q", .unknownEntityType), ("Q::\"a\" == principal", .unknownEntityType),
            ("false && principal is U in Q::\"q\"", .unknownEntityType), ("false && Action::\"nope\" == action", .unknownAction),
            ("N::Action::\"x\" == action", .unknownAction), ("principal.e == E::\"zz\"", .unknownEnumerationID),
            ("false && principal.e == E::\"zz\"", .unknownEnumerationID),
            ("ip(principal.s) == principal.ip", .computedConstructor),
            ("ip(if principal.b then \"1.1.1.1\" else \"2.2.2.2\").isIpv4()", .computedConstructor),
            ("ip(\"bad\").isIpv4()", .badConstructorText), ("decimal(\"1\") == principal.dec", .badConstructorText),
            ("datetime(\"2024-13-01\") == principal.dt", .badConstructorText), ("duration(\"1x\") == principal.du", .badConstructorText),
            ("ip(1).isIpv4()", .unexpectedType), ("ip() == principal.ip", .argumentCount),
            ("ip(\"1.1.1.1\", \"x\") == principal.ip", .argumentCount), ("principal.ip.isIpv4(1)", .argumentCount),
            ("principal.ip.isInRange()", .argumentCount), ("principal.ip.isInRange(\"1.1.1.1\")", .unexpectedType),
            ("principal.s.isIpv4()", .unexpectedType), ("principal.dt.offset(1) == principal.dt", .unexpectedType),
            ("principal.hasTag(\"a\") && principal.getTag(\"b\") == \"x\"", .unguardedTag),
            ("principal.getTag(\"a\") == \"x\"", .unguardedTag),
            ("resource.getTag(\"a\") == \"x\"", .unguardedTag),
            ("principal.u.hasTag(\"a\") && principal.getTag(\"a\") == \"x\"", .unguardedTag),
            ("principal.hasTag(\"a\") || principal.getTag(\"a\") == \"x\"", .unguardedTag),
            ("principal.hasTag(1)", .unexpectedType), ("principal.s.hasTag(\"a\")", .unexpectedType),
            ("context.hasTag(\"a\")", .unexpectedType),
            ("principal.hasTag(\"a\") && principal.getTag(\"a\") == 1", .noCommonType),
            ("[principal, resource].contains(principal)", .noCommonType), ("[principal].contains(resource)", .noCommonType),
            ("[1, \"a\"].contains(1)", .noCommonType), ("principal.longs.contains(\"a\")", .noCommonType),
            ("principal.longs.containsAny([\"a\"])", .noCommonType), ("principal.longs.containsAll(1)", .unexpectedType),
            ("principal.n.contains(1)", .unexpectedType), ("principal.n.isEmpty()", .unexpectedType), ("[].isEmpty()", .emptySet),
            ("{a: 1} == {b: 1}", .noCommonType), ("{a: 1} == {a: \"x\"}", .noCommonType),
            ("principal has orec && principal.orec == {x: 1, y: 2}", .noCommonType),
            ("principal.du < principal.dt", .unexpectedType), ("principal.dec < principal.dec", .unexpectedType),
            ("\"a\" < \"b\"", .unexpectedType), ("true < false", .unexpectedType), ("principal.n like \"a\"", .unexpectedType),
            ("principal.nope == 1", .unknownAttribute), ("action.x == 1", .unknownAttribute), ("principal.e.x == 1", .unknownAttribute),
            ("context.nope", .unknownAttribute), ("principal.rec.nope", .unknownAttribute), ("{a: 1}.b == 1", .unknownAttribute),
            ("principal.n.x == 1", .unexpectedType), ("principal.n has x", .unexpectedType), ("principal has n.x", .unexpectedType),
            ("principal.longs has x", .unexpectedType), ("1 in principal", .unexpectedType), ("principal in 1", .unexpectedType),
            ("principal in [1]", .unexpectedType), ("principal in []", .emptySet), ("1 is U", .unexpectedType),
            ("principal in [G::\"a\", H::\"b\"]", .noCommonType), ("principal is U in 1", .unexpectedType),
            ("principal.b == 1", .noCommonType), ("principal.u == 1", .noCommonType), ("principal.ip == principal.dt", .noCommonType),
        ] as [(String, ValidationFinding.Kind)])
    func finds(_ condition: String, _ kind: ValidationFinding.Kind) throws {
        let report = try ValidationFixture.report(condition: condition)
        #expect(report.errors.contains { $0.kind == kind }, "\(report.errors)")
    }

    @Test(
        arguments: [
            "permit(principal, action, resource) when { principal is U && principal.n == 1 || principal is V && principal.n == \"a\" };",
            "permit(principal in G::\"x\", action, resource) when { false };",
            "permit(principal == ?principal, action == Action::\"x\", resource in ?resource) when { principal.n == 1 };",
            "permit(principal in ?principal, action, resource == ?resource);", "permit(principal is V in ?principal, action, resource);",
            "permit(principal == U::\"x\", action, resource) when { principal.n == 1 };", "permit(principal, action, resource);",
            "permit(principal is U, action, resource) when { principal has on } when { principal.on == 1 };",
            "permit(principal in H::\"x\", action in Action::\"z\", resource) when { context has a && context.a == 1 };",
            "permit(principal is V in H::\"x\", action, resource is R);",
            "permit(principal, action in [Action::\"x\", Action::\"w\"], resource);",
            "permit(principal is V, action, resource) when { 1 == 2 };",
            "@a permit(principal, action, resource); forbid(principal, action, resource);",
            "permit(principal is V, action, resource) when { principal is U && 1 };", "",
        ])
    func passesWhole(_ text: String) throws {
        #expect(try ValidationFixture.report(text).errors == [])
    }

    @Test(
        arguments: [
            ("permit(principal, action, resource) when { principal.n == 1 };", .noCommonType),
            ("permit(principal, action in [], resource);", .noApplicableAction), ("permit(principal, action in [], resource);", .emptySet),
            ("permit(principal == G::\"x\", action, resource);", .noApplicableAction),
            ("permit(principal is V, action == Action::\"x\", resource) when { 1 };", .noApplicableAction),
            ("permit(principal, action == Action::\"z\", resource);", .noApplicableAction),
            ("permit(principal, action == Action::\"nope\", resource);", .unknownAction),
            ("permit(principal, action in [Action::\"x\", Action::\"nope\"], resource);", .noApplicableAction),
            ("permit(principal is Q, action, resource);", .unknownEntityType),
            ("permit(principal, action, resource is U);", .noApplicableAction),
            ("permit(principal is G in H::\"x\", action, resource);", .noApplicableAction),
            ("permit(principal is U in R::\"x\", action, resource);", .noApplicableAction),
            ("permit(principal, action, resource in G::\"x\");", .noApplicableAction),
            ("permit(principal is U, action, resource) unless { principal has on } when { principal.on == 1 };", .unguardedAttribute),
            ("permit(principal in ?principal, action == Action::\"x\", resource) when { principal.nope == 1 };", .unknownAttribute),
            ("permit(principal, action, resource) when { context has a && context.a == \"x\" };", .noCommonType),
        ] as [(String, ValidationFinding.Kind)])
    func findsWhole(_ text: String, _ kind: ValidationFinding.Kind) throws {
        let report = try ValidationFixture.report(text)
        #expect(report.errors.contains { $0.kind == kind }, "\(report.errors)")
    }

    @Test func agreesWithTheOfficialVerdicts() throws {
        let schema = try Schema(text: ValidationVerdicts.schema)
        let lines = ValidationVerdicts.lines.split(separator: "\n").map(String.init)
        #expect(lines.count == 300)
        for line in lines {
            let report = try ValidationFixture.report(String(line.dropFirst(8)), schema: schema)
            #expect(report.isValid == line.hasPrefix("valid "), "\(line)\n\(report.errors)")
        }
    }

    @Test func mixedActionTypesHaveNoCommonType() throws {
        let schema = try Schema(
            text:
                "entity U; action a appliesTo { principal: U, resource: U }; namespace N { action b appliesTo { principal: U, resource: U }; }"
        )
        let mixed = try ValidationFixture.report(
            "permit(principal, action in [Action::\"a\", N::Action::\"b\"], resource);", schema: schema)
        #expect(mixed.errors.contains { $0.kind == .noCommonType })
        let one = try ValidationFixture.report("permit(principal, action == N::Action::\"b\", resource);", schema: schema)
        #expect(one.isValid)
    }

    @Test func actionAttributesFollowTheGroupsOfTheirType() throws {
        let schema = try Schema(
            text: """
                action g; namespace N { action a in [Action::"g"]; action b; }
                entity U { n: N::Action, p: Action };
                action go appliesTo { principal: U, resource: U };
                """)
        func errors(_ condition: String) throws -> [ValidationFinding.Kind] {
            try ValidationFixture.report("permit(principal, action, resource) when { \(condition) };", schema: schema).errors.map(\.kind)
        }
        #expect(try errors("principal.n in Action::\"g\" || 1") == [.unexpectedType])
        #expect(try errors("principal.p in N::Action::\"a\" && 1") == [])
        #expect(try errors("principal.p in action || 1") == [.unexpectedType])
        #expect(try errors("principal.p == principal.n && 1") == [])
        #expect(try errors("principal.n == N::Action::\"c\"") == [.unknownAction])
    }

    @Test func withoutApplicableActionsEveryPolicyFails() throws {
        let schema = try Schema(text: "entity U; action a;")
        let report = try ValidationFixture.report("permit(principal, action, resource);", schema: schema)
        #expect(report.errors.map(\.kind) == [.noApplicableAction])
    }

    @Test func warnsOfPoliciesThatNeverApply() throws {
        let report = try ValidationFixture.report("permit(principal, action, resource) when { principal == resource };")
        #expect(report.isValid)
        #expect(report.warnings.map(\.kind) == [.neverApplies])
        #expect(try ValidationFixture.report("permit(principal, action, resource);").warnings == [])
    }

    @Test func namesPlaceAndRequest() throws {
        let report = try ValidationFixture.report("permit(principal, action, resource)\nwhen { principal.n == 1 };")
        #expect(
            report.errors.map(\.description) == [
                "policy0, line 2, column 8: A `String` is never equal to a `Long`. (for Action::\"w\" by V on R)"
            ])
    }

    @Test(
        arguments: [
            ("!(principal.b && ", "true", ")"), ("[", "true", "]"), ("{a: ", "true", "}"), ("(if principal.b then true else ", "true", ")"),
            ("(principal.b || ", "true", ")"), ("[1].contains(", "1", ")"), ("", "principal", ".u"), ("1 + (", "1", ")"),
            ("", "principal.ip", ".isIpv4()"),
            ("(principal == ", "principal", ")"), ("principal in [", "principal", "]"), ("principal.getTag(", "\"a\"", ")"),
        ])
    func survivesNesting(_ open: String, _ core: String, _ close: String) throws {
        let schema = try ValidationFixture.schema()
        for levels in [100, 180, 390, 480, 950] {
            let text = String(repeating: open, count: levels) + core + String(repeating: close, count: levels)
            guard let policies = try? PolicySet(parsing: "permit(principal, action, resource) when { \(text) };") else { continue }
            let report = schema.validate(policies.policies)
            for finding in report.errors { _ = finding.description }
            let depth = policies.policies.map(\.expression.depth).max() ?? 0
            #expect(report.errors.contains { $0.kind == .tooDeep } == (depth > ValidationLimits.depth))
        }
    }

    @Test func staysFastOnLongConditions() throws {
        let long = Array(repeating: "principal has on", count: 5_000).joined(separator: " && ")
        #expect(try ValidationFixture.report(condition: long).isValid)
    }

    @Test func staysFastOnManyAttributes() throws {
        let names = (0..<2_000).map { "a\($0)" }
        let schema = try Schema(
            text: "entity U { \(names.map { "\($0)?: Long" }.joined(separator: ", ")) }; action x appliesTo { principal: U, resource: U };")
        let condition = names.map { "principal has \($0) && principal.\($0) == 1" }.joined(separator: " && ")
        #expect(try ValidationFixture.report("permit(principal, action, resource) when { \(condition) };", schema: schema).isValid)
    }

    @Test func nestedTestsOfTypeStayCheap() throws {
        var condition = "principal"
        for _ in 0..<60 { condition = "(if \(condition) is U in G::\"g\" then principal else principal)" }
        #expect(try ValidationFixture.report(condition: "\(condition) is U").isValid)
    }
}
