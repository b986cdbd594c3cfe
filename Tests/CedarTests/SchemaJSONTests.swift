import Testing

@testable import Cedar

@Suite("The JSON form of a schema")
struct SchemaJSONTests {
    /// A namespace with these entity types and actions, and what else.
    private func schema(_ entities: String = "", _ actions: String = "", types: String? = nil, name: String = "") -> String {
        let common = types.map { "\"commonTypes\": {\($0)}, " } ?? ""
        return "{\"\(name)\": {\(common)\"entityTypes\": {\(entities)}, \"actions\": {\(actions)}}}"
    }

    @Test func saysTheSameAsTheText() throws {
        let json = """
            {"": {"commonTypes": {"T": {"type": "Record", "attributes": {"x": {"type": "Long"}, "y": {"type": "String", "required": false}}}},
                  "entityTypes": {
                    "G": {"memberOfTypes": ["H"]}, "H": {}, "E": {"enum": ["a", "b"], "annotations": {"doc": "choices"}},
                    "U": {"memberOfTypes": ["G"], "shape": {"type": "Record", "attributes": {
                        "n": {"type": "Long", "annotations": {"k": "v"}}, "b": {"type": "Boolean"}, "b2": {"type": "Bool", "required": true},
                        "ip": {"type": "Extension", "name": "ipaddr"}, "d": {"type": "decimal"}, "t": {"type": "T"},
                        "e": {"type": "Entity", "name": "E", "required": false}, "s": {"type": "Set", "element": {"type": "EntityOrCommon", "name": "T"}},
                        "o": {"type": "EntityOrCommon", "name": "U"}, "p": {"type": "EntityOrCommon", "name": "Long"},
                        "q": {"type": "Record", "attributes": {}, "additionalAttributes": false}}}, "tags": {"type": "String"}}},
                  "actions": {"z": {}, "n": {"appliesTo": null},
                    "x": {"memberOf": [{"id": "z"}, {"id": "n", "type": "Action"}],
                          "appliesTo": {"principalTypes": ["U"], "resourceTypes": ["G", "H"], "context": {"type": "T"}}}}},
             "N": {"entityTypes": {"V": {"shape": {"type": "Record", "attributes": {"u": {"type": "Entity", "name": "U"}}}}},
                   "actions": {"a": {"memberOf": [{"id": "z", "type": "Action"}, {"id": "b"}]}, "b": {}}}}
            """
        let text = """
            type T = { x: Long, y?: String };
            entity G in H; entity H; @doc("choices") entity E enum ["a", "b"];
            entity U in [G] { @k("v") n: Long, b: Bool, b2: Bool, ip: ipaddr, d: decimal, t: T, e?: E, s: Set<T>, o: U, p: Long, q: {} } tags String;
            action z, n; action x in [z, n] appliesTo { principal: U, resource: [G, H], context: T };
            namespace N { entity V { u: U }; action a in [Action::"z", b]; action b; }
            """
        let document = try SchemaDocument(json: json)
        #expect(try Schema(document).description == Schema(text: text).description)
        #expect(try Schema(text: document.text()).description == Schema(text: text).description)
    }

    @Test func eitherFormIsRead() throws {
        #expect(try Schema(parsing: "\n {\"\": {\"entityTypes\": {\"U\": {}}, \"actions\": {}}}") == Schema(parsing: " entity U;"))
        #expect(try Schema(parsing: "{}") == Schema(parsing: ""))
    }

    @Test func emptyListsApplyToNothing() throws {
        let json = schema("\"U\": {}", "\"a\": {\"appliesTo\": {\"principalTypes\": [], \"resourceTypes\": [\"U\"]}}")
        let schema = try Schema(json: json)
        #expect(schema.actionDefinitions.values.flatMap(schema.environments(of:)).isEmpty)
        #expect(try Schema(text: SchemaDocument(json: json).text()).description == schema.description)
    }

    @Test func hiddenNamesNeedTheJSONForm() throws {
        let json = schema("\"T\": {}, \"U\": {\"tags\": {\"type\": \"Entity\", \"name\": \"T\"}}", types: "\"T\": {\"type\": \"Long\"}")
        _ = try Schema(json: json)
        #expect(throws: SchemaError.self) { try SchemaDocument(json: json).text() }
    }

    @Test func builtInNamesAreWrittenInFullWhereTheyAreHidden() throws {
        let json = schema("\"Long\": {\"tags\": {\"type\": \"Long\"}}, \"ipaddr\": {\"tags\": {\"type\": \"ipaddr\"}}")
        let document = try SchemaDocument(json: json)
        #expect(try document.text() == "entity Long tags __cedar::Long;\nentity ipaddr tags __cedar::ipaddr;\n")
        #expect(try Schema(text: document.text()).description == Schema(document).description)
    }

    @Test(
        arguments: [
            "", "[]", "null", "{\"\": []}", "{\"\": {}}", "{\"\": {\"entityTypes\": {}}}", "{\"\": {\"actions\": {}}}",
            "{\"\": {\"entityTypes\": {}, \"actions\": {}, \"x\": 1}}",
            "{\"\": {\"entityTypes\": {}, \"actions\": {}, \"annotations\": {\"a\": \"\"}}}",
            "{\"\": {\"entityTypes\": {}, \"entityTypes\": {}, \"actions\": {}}}", "{\"A:: B\": {\"entityTypes\": {}, \"actions\": {}}}",
            "{\"__cedar\": {\"entityTypes\": {}, \"actions\": {}}}", "{\"if\": {\"entityTypes\": {}, \"actions\": {}}}",
        ])
    func refusesNamespaces(_ json: String) {
        #expect(throws: SchemaError.self) { try Schema(json: json) }
    }

    @Test(
        arguments: [
            "\"U\": null", "\"U\": {}, \"U\": {}", "\"a b\": {}", "\"\": {}", "\"Action\": {}", "\"U\": {\"x\": 1}",
            "\"U\": {\"memberOfTypes\": [\"V\"]}",
            "\"U\": {\"memberOfTypes\": [1]}", "\"U\": {\"shape\": {\"type\": \"Long\"}}", "\"U\": {\"shape\": {}}",
            "\"U\": {\"enum\": []}",
            "\"U\": {\"enum\": [\"a\"], \"tags\": {\"type\": \"Long\"}}", "\"U\": {\"enum\": [1]}", "\"U\": {\"tags\": {\"type\": \"U\"}}",
            "\"U\": {\"tags\": {\"type\": \"Nope\"}}", "\"U\": {\"tags\": {\"type\": \"Long\", \"x\": 1}}",
            "\"U\": {\"tags\": {\"type\": \"Set\"}}",
            "\"U\": {\"tags\": {\"type\": \"Entity\"}}", "\"U\": {\"tags\": {\"type\": \"Entity\", \"name\": \"V\"}}",
            "\"U\": {\"tags\": {\"type\": \"Extension\", \"name\": \"ip\"}}",
            "\"U\": {\"tags\": {\"type\": \"EntityOrCommon\", \"name\": \"V\"}}",
            "\"U\": {\"tags\": {\"type\": \"Record\", \"attributes\": {}, \"additionalAttributes\": true}}",
            "\"U\": {\"tags\": {\"type\": 1}}",
            "\"U\": {\"tags\": {\"type\": \"Long\", \"required\": true}}", "\"U\": {\"annotations\": {\"a\": 1}}",
            "\"U\": {\"annotations\": {\"a b\": \"\"}}",
            "\"U\": {\"shape\": {\"type\": \"Record\", \"attributes\": {\"a\": {\"type\": \"Long\"}, \"a\": {\"type\": \"Long\"}}}}",
            "\"U\": {\"shape\": {\"type\": \"Record\", \"attributes\": {\"a\": {\"type\": \"Long\", \"required\": 1}}}}",
        ])
    func refusesEntityTypes(_ entities: String) {
        #expect(throws: SchemaError.self) { try Schema(json: schema(entities)) }
    }

    @Test(
        arguments: [
            "\"a\": null", "\"a\": {\"x\": 1}", "\"a\": {\"attributes\": {}}", "\"a\": {\"memberOf\": [{}]}",
            "\"a\": {\"memberOf\": [{\"id\": \"a\"}]}",
            "\"a\": {\"memberOf\": [{\"id\": \"b\"}]}", "\"a\": {\"memberOf\": [{\"id\": \"b\", \"x\": 1}]}, \"b\": {}",
            "\"a\": {\"memberOf\": [\"b\"]}, \"b\": {}", "\"a\": {\"appliesTo\": {}}",
            "\"a\": {\"appliesTo\": {\"principalTypes\": [\"U\"]}}",
            "\"a\": {\"appliesTo\": {\"principalTypes\": [\"U\"], \"resourceTypes\": [\"U\"], \"context\": {\"type\": \"Long\"}}}",
            "\"a\": {\"appliesTo\": {\"principalTypes\": [\"V\"], \"resourceTypes\": [\"U\"]}}",
            "\"a\": {\"appliesTo\": {\"principalTypes\": [\"U\"], \"resourceTypes\": [\"U\"], \"x\": 1}}", "\"a\": {}, \"a\": {}",
        ])
    func refusesActions(_ actions: String) {
        #expect(throws: SchemaError.self) { try Schema(json: schema("\"U\": {}", actions)) }
    }

    @Test func namesThePath() {
        let error = #expect(throws: SchemaError.self) {
            try Schema(json: schema("\"U\": {\"shape\": {\"type\": \"Record\", \"attributes\": {\"a\": {\"type\": \"Lnog\"}}}}"))
        }
        #expect(error?.description == "namespace \"\" > entityTypes > U > shape > attributes > a: There is no common type `Lnog`.")
    }
}
