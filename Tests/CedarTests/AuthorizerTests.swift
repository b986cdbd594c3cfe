internal import Testing

@testable internal import Cedar

@Suite("Authorizer")
struct AuthorizerTests {
    @Test("an error skips its policy and is named")
    func errors() throws {
        let response = try Fixture.authorize("PSR when {1}; PSR; FSR when {false};")
        #expect(response.decision == .allow)
        #expect(response.reason == ["policy1"])
        #expect(response.errors == ["policy0"])
    }

    @Test("a forbid beats every permit, and the reasons are the forbids")
    func forbids() throws {
        let response = try Fixture.authorize(#"PSR; forbid(principal in G::"h",action,resource); FSR when {principal.q};"#)
        #expect(response.decision == .deny)
        #expect(response.reason == ["policy1"])
        #expect(response.errors == ["policy2"])
        #expect(response.isForbidden)
    }

    @Test("nothing permits: deny without a reason")
    func nothing() throws {
        #expect(try Fixture.authorize("").decision == .deny)
        let response = try Fixture.authorize(
            #"permit(principal == ?principal, action, resource); permit(principal, action in [], resource);"#)
        #expect(response.decision == .deny)
        #expect(response.reason.isEmpty && response.errors.isEmpty)
    }

    @Test("reasons are all that are satisfied, in the order of the text, templates counted")
    func reasons() throws {
        let response = try Fixture.authorize(
            """
            PSR; permit(principal == ?principal, action, resource); permit(principal is U, action in [Action::"y", Action::"x"], resource);
            permit(principal in G::"h", action == Action::"x", resource is R in R::"r") unless { false }; PSR when { false };
            """)
        #expect(response.reason == ["policy0", "policy2", "policy3"])
    }

    @Test("an explanation names what becomes of every policy")
    func explanation() throws {
        let policies = try PolicySet(
            parsing: """
                permit(principal == U::"b", action, resource) when { 1 }; permit(principal == ?principal, action, resource);
                permit(principal, action, resource) when { false }; permit(principal, action, resource); forbid(principal, action, resource) when { 1 };
                """)
        let outcomes = Authorizer(policies).explain(try Fixture.request(), try Entities(parsing: Fixture.entities))
        #expect(outcomes.map(\.policy.id) == ["policy0", "policy2", "policy3", "policy4"])
        #expect(outcomes.prefix(3).map(\.verdict) == [.outOfScope, .notSatisfied, .satisfied])
        guard case .failed? = outcomes.last?.verdict else {
            Issue.record("the last policy has a value")
            return
        }
    }

    @Test("the example of the documentation decides as it says")
    func example() throws {
        let policies = try PolicySet(
            parsing: """
                @id("readers")
                permit (principal in Role::"reader", action == Action::"read", resource)
                unless { resource.isSecret };
                """)
        let entities = try Entities(
            parsing: """
                [{"uid": {"type": "User", "id": "alice"}, "attrs": {}, "parents": [{"type": "Role", "id": "reader"}]},
                 {"uid": {"type": "Document", "id": "plan"}, "attrs": {"isSecret": false}, "parents": []}]
                """)
        let request = Request(
            principal: try EntityUID(parsing: #"User::"alice""#), action: try EntityUID(parsing: #"Action::"read""#),
            resource: try EntityUID(parsing: #"Document::"plan""#))
        let response = Authorizer(policies).authorize(request, entities)
        #expect(response.decision == .allow)
        #expect(response.reason == ["policy0"])
        #expect(policies["policy0"]?.annotation("id") == "readers")
    }

    @Test("policies of several texts decide together under ids of their own")
    func several() throws {
        let first = try PolicySet(parsing: "permit(principal, action, resource);").policies.map { $0.identified(as: "first/\($0.id)") }
        let second = try PolicySet(parsing: "permit(principal, action, resource);").policies.map { $0.identified(as: "second/\($0.id)") }
        let response = Authorizer(PolicySet(first + second)).authorize(try Fixture.request(), .empty)
        #expect(response.reason == ["first/policy0", "second/policy0"])
    }

    @Test("an expression can be read and evaluated alone")
    func expressions() throws {
        let (request, entities) = (try Fixture.request(#"{"a": 2}"#), try Entities(parsing: Fixture.entities))
        #expect(try Expr(parsing: "principal.n + context.a").evaluate(request, entities) == .long(3))
        #expect(throws: ParseError.self) { try Expr(parsing: "1 2") }
        #expect(throws: EvaluationError.self) { try Expr(parsing: "principal.x").evaluate(request, entities) }
        let template = try #require(try PolicySet(parsing: "permit(principal == ?principal, action, resource);").policies.first)
        #expect(throws: EvaluationError.self) { try template.expression.evaluate(request, entities) }
    }

    @Test("a strict reading denies where an error hides a deny, or hides why there is one")
    func strict() throws {
        func strict(_ text: String) throws -> (Response.Decision, [String]) {
            let response = try Fixture.authorize(text)
            return (response.strictDecision, response.decisiveFailures.map(\.policy))
        }
        #expect(try strict("PSR; FSR when { 1 };") == (.deny, ["policy1"]))
        #expect(try strict("PSR when { 1 };") == (.deny, ["policy0"]))
        #expect(try strict("PSR when { 1 }; PSR;") == (.allow, []))
        #expect(try strict("PSR; FSR; FSR when { 1 };") == (.deny, []))
        #expect(try strict("PSR; FSR when { false };") == (.allow, []))
        #expect(try strict(#"PSR; forbid(principal == U::"b",action,resource) when { 1 };"#) == (.allow, []))
        #expect(try strict("") == (.deny, []))
    }

    @Test("the index finds what evaluating every policy whole finds", arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func index(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let world = World(&numbers)
        let policies = try PolicySet(parsing: (0..<150).map { _ in world.policy(&numbers) }.joined(separator: "\n"))
        let programs = policies.policies.map { Program(condition: $0.expression) }
        for _ in 0..<150 {
            let request = world.request(&numbers)
            var evaluator = Evaluator(request, world.entities)
            var satisfied: [Policy.Effect: [String]] = [.permit: [], .forbid: []]
            var errors: [String] = []
            for (policy, program) in zip(policies.policies, programs) {
                do throws(EvaluationError) {
                    if try evaluator.run(program) == .bool(true) { satisfied[policy.effect]?.append(policy.id) }
                } catch {
                    errors.append(policy.id)
                }
            }
            let response = Authorizer(policies).authorize(request, world.entities)
            let forbids = satisfied[.forbid] ?? []
            #expect(response.reason == (forbids.isEmpty ? satisfied[.permit] ?? [] : forbids))
            #expect(response.errors == errors)
            #expect((response.decision == .allow) == (forbids.isEmpty && !response.reason.isEmpty))
        }
    }

    /// A random hierarchy, and policies and requests over it.
    private struct World {
        let entities: Entities
        private let uids: [EntityUID]
        private let actions: [EntityUID]

        init(_ numbers: inout SeededNumbers) {
            var entities: [Entity] = []
            func uid(_ type: String, _ id: Int) -> EntityUID {
                EntityUID(type: TypeName(type) ?? TypeName(components: ["X"]), id: ExactString("\(id)"))
            }
            uids = (0..<12).map { uid(["U", "G", "N::U"][$0 % 3], $0) }
            actions = (0..<5).map { uid($0 == 4 ? "N::Action" : "Action", $0) }
            for list in [uids, actions] {
                for (number, uid) in list.enumerated() where number > 0 && Int.random(in: 0..<5, using: &numbers) > 0 {
                    // Parents come before, so there is no cycle.
                    let parents = (0..<Int.random(in: 0...2, using: &numbers)).map { _ in list[Int.random(in: 0..<number, using: &numbers)]
                    }
                    entities.append(
                        Entity(uid: uid, attributes: Value.Record(["n": .long(Int64(number))]) ?? .empty, parents: Set(parents)))
                }
            }
            self.entities = (try? Entities(entities)) ?? .empty
        }

        private func scope(_ variable: String, _ numbers: inout SeededNumbers) -> String {
            let uid = uids[Int.random(in: 0..<uids.count, using: &numbers)]
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0: return "\(variable) == \(uid)"
            case 1: return "\(variable) in \(uid)"
            case 2: return "\(variable) is \(uid.type)"
            case 3: return "\(variable) is \(uids[0].type) in \(uid)"
            default: return variable
            }
        }

        func policy(_ numbers: inout SeededNumbers) -> String {
            let action = actions[Int.random(in: 0..<actions.count, using: &numbers)]
            let other = actions[Int.random(in: 0..<actions.count, using: &numbers)]
            let actionScope = ["action", "action == \(action)", "action in \(action)", "action in [\(action), \(other)]", "action in []"]
            let conditions = [
                "", "when { principal.n < 6 }", "when { principal has n && resource has n }", "unless { principal == resource }",
            ]
            return """
                \(Int.random(in: 0..<4, using: &numbers) == 0 ? "forbid" : "permit") (\(scope("principal", &numbers)), \
                \(actionScope[Int.random(in: 0..<5, using: &numbers)]), \(scope("resource", &numbers))) \
                \(conditions[Int.random(in: 0..<4, using: &numbers)]);
                """
        }

        func request(_ numbers: inout SeededNumbers) -> Request {
            Request(
                principal: uids[Int.random(in: 0..<uids.count, using: &numbers)],
                action: actions[Int.random(in: 0..<actions.count, using: &numbers)],
                resource: uids[Int.random(in: 0..<uids.count, using: &numbers)])
        }
    }
}
