import Testing

@testable import Cedar

/// A policy that validates must not fail on a type, a missing attribute or a missing tag, whatever the entities are.
@Suite("Soundness of validation")
struct ValidationPropertyTests {
    /// Entities with every choice of what is optional, and requests from each.
    private struct World {
        let schema: Schema
        let entities: Entities
        let requests: [Request]

        init() throws {
            schema = try ValidationFixture.schema()
            var json = ["{\"uid\":{\"type\":\"G\",\"id\":\"g\"},\"attrs\":{},\"parents\":[{\"type\":\"H\",\"id\":\"h\"}]}"]
            for choice in 0..<64 {
                func has(_ bit: Int) -> Bool { choice >> bit & 1 == 1 }
                var attributes = [
                    "\"n\":\(choice)", "\"s\":\"a\"", "\"b\":\(has(0))", "\"ip\":\"10.0.0.1\"", "\"dt\":\"2024-01-01\"", "\"du\":\"1h\"",
                    "\"e\":{\"type\":\"E\",\"id\":\"a\"}", "\"dec\":\"1.5\"", "\"longs\":[1,2]", "\"flags\":[]",
                    "\"rec\":{\"a\":true\(has(5) ? ",\"r\":{}" : "")}", "\"u\":{\"type\":\"U\",\"id\":\"\(63 - choice)\"}",
                ]
                if has(1) { attributes.append("\"on\":1") }
                if has(2) { attributes.append("\"orec\":{\"x\":1\(has(3) ? ",\"y\":2" : "")}") }
                if has(5) { attributes.append("\"ou\":{\"type\":\"U\",\"id\":\"\((choice * 7 + 3) % 64)\"}") }
                let tags = has(4) ? "{\"a\":\"x\"}" : "{}"
                json.append(
                    "{\"uid\":{\"type\":\"U\",\"id\":\"\(choice)\"},\"attrs\":{\(attributes.joined(separator: ","))},\"tags\":\(tags),"
                        + "\"parents\":[\(has(3) ? "{\"type\":\"G\",\"id\":\"g\"}" : "")]}")
            }
            entities = try Entities(parsing: "[\(json.joined(separator: ","))]", hints: schema)
            try schema.validate(entities)
            var requests: [Request] = []
            for choice in 0..<64 {
                let request = Request(
                    principal: try EntityUID(parsing: "U::\"\(choice)\""), action: try EntityUID(parsing: "Action::\"x\""),
                    resource: try EntityUID(parsing: "R::\"r\""),
                    context: try Request.context(parsing: choice % 3 == 0 ? "{\"a\":1}" : "{}"))
                try schema.validate(request)
                requests.append(request)
            }
            self.requests = requests
        }
    }

    @Test func validPoliciesDoNotFail() throws {
        let world = try World()
        var random = RandomCondition(dice: SchemaDice(seed: 7))
        var valid = 0
        for _ in 0..<2_500 {
            let condition = random.boolean(4)
            let text = "permit(principal is U, action == Action::\"x\", resource) when { \(condition) };"
            let policies = try PolicySet(parsing: text)
            guard world.schema.validate(policies.policies).isValid else { continue }
            valid += 1
            let authorizer = Authorizer(policies)
            for request in world.requests {
                for failure in authorizer.authorize(request, world.entities).failures {
                    switch failure.error.kind {
                    case .overflow, .missingEntity: break
                    case let kind: Issue.record("\(condition): \(kind)")
                    }
                }
            }
        }
        // The generator must reach both sides, or the test shows nothing.
        #expect(valid > 200 && valid < 2_300, "\(valid) valid")
    }
}

/// Random conditions over the schema of the fixture, most of them nearly right.
private struct RandomCondition {
    var dice: SchemaDice

    mutating func boolean(_ depth: Int) -> String {
        guard depth > 0 else { return guardTest() }
        switch dice.roll(14) {
        case 0, 1: return "(\(boolean(depth - 1)) && \(boolean(depth - 1)))"
        case 2: return "(\(boolean(depth - 1)) || \(boolean(depth - 1)))"
        case 3: return "!(\(boolean(depth - 1)))"
        case 4: return "(if \(boolean(depth - 1)) then \(boolean(depth - 1)) else \(boolean(depth - 1)))"
        case 5, 6, 7: return "(\(guards(depth - 1)) && \(use()))"
        case 8: return "(if \(guards(depth - 1)) then \(use()) else \(boolean(depth - 1)))"
        case 9: return "(\(long(depth - 1)) \(dice.pick(["==", "<", "<="])) \(long(depth - 1)))"
        case 10:
            return
                "(\(entity(depth - 1)) \(dice.pick(["==", "in"])) \(dice.pick([entity(depth - 1), "G::\"g\"", "[G::\"g\"]", "resource", "H::\"h\""])))"
        case 11: return "(\(entity(depth - 1)) is \(dice.pick(["U", "V", "U in G::\"g\""])))"
        case 12: return "principal.longs.contains(\(long(depth - 1)))"
        default: return guardTest()
        }
    }

    /// A test that may show what `use` needs, bent in all ways.
    private mutating func guards(_ depth: Int) -> String {
        guard depth > 0 else { return guardTest() }
        switch dice.roll(7) {
        case 0, 1: return "(\(guards(depth - 1)) && \(guards(depth - 1)))"
        case 2: return "(\(guards(depth - 1)) || \(guards(depth - 1)))"
        case 3: return "!(\(guards(depth - 1)))"
        case 4: return "(if \(guards(depth - 1)) then \(guards(depth - 1)) else \(guards(depth - 1)))"
        default: return guardTest()
        }
    }

    private mutating func guardTest() -> String {
        dice.pick([
            "principal has on", "principal has \"on\"", "principal has orec", "principal has orec.y", "principal has on",
            "principal.hasTag(\"a\")",
            "principal.hasTag(principal.s)", "principal has ou", "principal has ou.on", "principal.u has on", "principal has rec.r.z",
            "principal.rec has r", "context has a", "principal.b", "true", "false", "principal has nope", "principal.rec has a",
            "principal is U",
            "principal is V", "resource has on", "resource.hasTag(\"a\")", "action == Action::\"x\"", "1 == \"a\"", "principal == resource",
        ])
    }

    private mutating func use() -> String {
        dice.pick([
            "principal.on == 1", "principal[\"on\"] < 3", "principal.orec.x == 1", "principal.orec.y == 1",
            "principal.getTag(\"a\") == \"x\"",
            "principal.getTag(principal.s) like \"*\"", "principal.ou.on == 1", "principal.ou.n == 1", "principal.u.on == 1",
            "principal.rec.r.z == 1",
            "principal.rec.r has z", "context.a == 1", "principal.nope", "resource.on == 1", "principal.ou == principal", "1",
        ])
    }

    private mutating func long(_ depth: Int) -> String {
        guard depth > 0 else { return dice.pick(["1", "-2", "principal.n", "principal.u.n", "principal.du.toHours()"]) }
        switch dice.roll(6) {
        case 0: return "(\(long(depth - 1)) + \(long(depth - 1)))"
        case 1: return "(\(long(depth - 1)) * \(long(depth - 1)))"
        case 2: return "(-(\(long(depth - 1))))"
        case 3: return "(if \(guards(1)) then \(long(depth - 1)) else \(long(depth - 1)))"
        case 4: return "(if \(guards(1)) then principal.on else \(long(depth - 1)))"
        default: return long(0)
        }
    }

    private mutating func entity(_ depth: Int) -> String {
        guard depth > 0 else { return dice.pick(["principal", "principal.u", "U::\"5\"", "principal", "resource", "principal.e"]) }
        switch dice.roll(5) {
        case 0: return "\(entity(depth - 1)).u"
        case 1: return "(if \(guards(1)) then \(entity(depth - 1)) else \(entity(depth - 1)))"
        case 2: return "(if \(guards(1)) then principal.ou else \(entity(depth - 1)))"
        default: return entity(0)
        }
    }
}
