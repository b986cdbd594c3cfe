import Testing

@testable import Cedar

@Suite("Validation of requests and entities")
struct ValidationInputTests {
    private static let text = """
        entity H; entity G in [H]; entity E enum ["a", "b"];
        entity U in [G, E] {
            n: Long, s?: String, b?: Bool, dec?: decimal, ip?: ipaddr, dt?: datetime, du?: duration, e?: E, u?: U, act?: Action,
            set?: Set<Set<Long>>, ips?: Set<ipaddr>, rec?: {x: Long, y?: {z: datetime}},
        } tags duration;
        entity R;
        action g; action x in g appliesTo { principal: U, resource: [R, E], context: {
            amount?: decimal, who?: U, e?: E, act?: Action, args?: {ip?: ipaddr, list?: Set<decimal>} } };
        action strict appliesTo { principal: U, resource: R, context: { n: Long } };
        """

    private func request(
        _ context: String = "{}", principal: String = "U::\"a\"", action: String = "Action::\"x\"", resource: String = "R::\"r\""
    ) throws -> ConformanceError.Kind? {
        let schema = try Schema(text: Self.text)
        let uid = try EntityUID(parsing: action)
        let request = Request(
            principal: try EntityUID(parsing: principal), action: uid, resource: try EntityUID(parsing: resource),
            context: try Request.context(parsing: context, hints: schema.contextHints(of: uid)))
        do {
            try schema.validate(request)
            return nil
        } catch {
            #expect(!error.description.isEmpty)
            return error.kind
        }
    }

    private func entity(
        type: String = "U", id: String = "a", _ attributes: String = "{}", tags: String? = nil, parents: String = "", more: String = ""
    ) throws -> ConformanceError.Kind? {
        let schema = try Schema(text: Self.text)
        let tagText = tags.map { ", \"tags\": \($0)" } ?? ""
        let entities = try Entities(
            parsing:
                "[{\"uid\": {\"type\": \"\(type)\", \"id\": \"\(id)\"}, \"attrs\": \(attributes)\(tagText), \"parents\": [\(parents)]}\(more)]",
            hints: schema)
        do {
            try schema.validate(entities)
            return nil
        } catch {
            #expect(!error.description.isEmpty)
            return error.kind
        }
    }

    @Test func requestsThatFit() throws {
        #expect(try request() == nil)
        #expect(try request(resource: "E::\"b\"") == nil)
        #expect(try request("{\"n\": 1}", action: "Action::\"strict\"") == nil)
        #expect(
            try request(
                "{\"amount\": \"1.50\", \"args\": {\"ip\": \"10.0.0.0/8\", \"list\": [\"1.0\", {\"__extn\": {\"fn\": \"decimal\", \"arg\": \"2.0\"}}]}}"
            ) == nil)
        #expect(
            try request("{\"who\": {\"type\": \"U\", \"id\": \"nobody\"}, \"e\": {\"__entity\": {\"type\": \"E\", \"id\": \"a\"}}}") == nil)
        #expect(try request("{\"act\": {\"type\": \"Action\", \"id\": \"g\"}}") == nil)
    }

    @Test func requestsThatDoNot() throws {
        #expect(try request(principal: "Q::\"a\"") == .unknownEntityType)
        #expect(try request(principal: "Action::\"x\"") == .unknownEntityType)
        #expect(try request(principal: "G::\"a\"") == .principalType)
        #expect(try request(resource: "Q::\"a\"") == .unknownEntityType)
        #expect(try request(resource: "U::\"a\"") == .resourceType)
        #expect(try request(resource: "E::\"c\"") == .unknownEnumerationID)
        #expect(try request(action: "Action::\"nope\"") == .unknownAction)
        #expect(try request(action: "Action::\"g\"") == .principalType)
        #expect(try request("{\"nope\": 1}") == .unknownAttribute)
        #expect(try request("{\"args\": {\"nope\": 1}}") == .unknownAttribute)
        #expect(try request("{}", action: "Action::\"strict\"") == .missingAttribute)
        #expect(try request("{\"n\": true}", action: "Action::\"strict\"") == .unexpectedType)
        #expect(try request("{\"who\": {\"type\": \"G\", \"id\": \"a\"}}") == .unexpectedType)
        #expect(try request("{\"e\": {\"type\": \"E\", \"id\": \"c\"}}") == .unknownEnumerationID)
        #expect(try request("{\"act\": {\"type\": \"Action\", \"id\": \"nope\"}}") == .unknownAction)
    }

    @Test func entitiesThatFit() throws {
        #expect(try entity("{\"n\": 1}") == nil)
        #expect(
            try entity("{\"n\": 1, \"s\": \"\", \"b\": true, \"dec\": \"0.5\", \"ip\": \"::1\", \"dt\": \"2024-01-01\", \"du\": \"1h\"}")
                == nil)
        #expect(try entity("{\"n\": 1, \"e\": {\"type\": \"E\", \"id\": \"a\"}, \"u\": {\"type\": \"U\", \"id\": \"absent\"}}") == nil)
        #expect(
            try entity("{\"n\": 1, \"set\": [[], [1, 2]], \"ips\": [\"1.2.3.4\"], \"rec\": {\"x\": 1, \"y\": {\"z\": \"2024-01-01\"}}}")
                == nil)
        #expect(try entity("{\"n\": 1}", tags: "{\"\": \"1h\", \"k\": {\"__extn\": {\"fn\": \"duration\", \"arg\": \"2h\"}}}") == nil)
        #expect(
            try entity(
                "{\"n\": 1}",
                parents: "{\"type\": \"G\", \"id\": \"a\"}, {\"type\": \"H\", \"id\": \"a\"}, {\"type\": \"E\", \"id\": \"a\"}") == nil)
        #expect(try entity(type: "E", id: "b") == nil)
        #expect(try entity(type: "Action", id: "x", parents: "{\"type\": \"Action\", \"id\": \"g\"}") == nil)
        #expect(try entity(type: "Action", id: "g") == nil)
    }

    @Test func entitiesThatDoNot() throws {
        #expect(try entity(type: "Q") == .unknownEntityType)
        #expect(try entity("{}") == .missingAttribute)
        #expect(try entity("{\"n\": 1, \"nope\": 1}") == .unknownAttribute)
        #expect(try entity("{\"n\": \"1\"}") == .unexpectedType)
        #expect(try entity("{\"n\": 1, \"rec\": {}}") == .missingAttribute)
        #expect(try entity("{\"n\": 1, \"set\": [[true]]}") == .unexpectedType)
        #expect(try entity("{\"n\": 1, \"set\": [1]}") == .unexpectedType)
        #expect(try entity("{\"n\": 1, \"u\": {\"type\": \"G\", \"id\": \"a\"}}") == .unexpectedType)
        #expect(try entity("{\"n\": 1, \"e\": {\"type\": \"E\", \"id\": \"c\"}}") == .unknownEnumerationID)
        #expect(try entity("{\"n\": 1, \"act\": {\"type\": \"Action\", \"id\": \"c\"}}") == .unknownAction)
        #expect(try entity(type: "R", tags: "{\"k\": 1}") == .unknownAttribute)
        #expect(try entity("{\"n\": 1}", parents: "{\"type\": \"R\", \"id\": \"a\"}") == .ancestor)
        #expect(try entity("{\"n\": 1}", parents: "{\"type\": \"E\", \"id\": \"c\"}") == .unknownEnumerationID)
        #expect(try entity("{\"n\": 1}", parents: "{\"type\": \"Action\", \"id\": \"x\"}") == .ancestor)
        #expect(try entity(type: "E", id: "c") == .unknownEnumerationID)
        #expect(try entity(type: "E", "{\"n\": 1}") == .unknownAttribute)
        #expect(try entity(type: "E", tags: "{\"n\": 1}") == .unknownAttribute)
        #expect(try entity(type: "E", parents: "{\"type\": \"H\", \"id\": \"a\"}") == .ancestor)
        #expect(try entity(type: "Action", id: "nope") == .unknownAction)
        #expect(try entity(type: "Action", id: "x") == .ancestor)
        #expect(try entity(type: "Action", id: "g", "{\"n\": 1}") == .unknownAttribute)
        #expect(try entity(type: "Action", id: "strict", parents: "{\"type\": \"Action\", \"id\": \"g\"}") == .ancestor)
    }

    @Test(
        arguments: [
            "{\"n\": 1, \"e\": \"a\"}", "{\"n\": 1, \"dec\": 1.5}", "{\"n\": 1, \"dec\": 1}", "{\"n\": 1, \"dec\": \"x\"}",
            "{\"n\": 1, \"ip\": {\"fn\": \"nope\", \"arg\": \"1.2.3.4\"}}", "{\"n\": null}", "{\"n\": 1.0}",
        ])
    func valuesThatAreNone(_ attributes: String) {
        #expect(throws: DataError.self) { try entity(attributes) }
    }

    @Test func theSchemaBringsItsActions() throws {
        let schema = try Schema(text: Self.text)
        let entities = try Entities(parsing: "[]", hints: schema)
        let x = try EntityUID(parsing: "Action::\"x\"")
        #expect(entities.ancestors(of: x) == [try EntityUID(parsing: "Action::\"g\"")])
        try schema.validate(entities)
    }

    @Test func namesThePath() throws {
        let schema = try Schema(text: Self.text)
        let request = try Request(
            parsing: """
                {"principal": {"type": "U", "id": "a"}, "action": {"type": "Action", "id": "x"}, "resource": {"type": "R", "id": "r"},
                 "context": {"args": {"list": [1]}}}
                """)
        let error = #expect(throws: ConformanceError.self) { try schema.validate(request) }
        #expect(error?.description == "context > args > list > an element: Here must be a value of type `decimal`, and this is a long.")
    }
}
