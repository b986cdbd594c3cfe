internal import Testing

@testable internal import Cedar

@Suite("Entities and requests in JSON")
struct EntitiesTests {
    private static func attributes(_ json: String) -> String { #"[{"uid": {"type": "U", "id": "a"}, "attrs": \#(json), "parents": []}]"# }

    private func value(_ json: String) throws -> Value? {
        let uid = try EntityUID(parsing: #"U::"a""#)
        return try Entities(parsing: Self.attributes(#"{"v": \#(json)}"#))[uid]?.attributes["v"]
    }

    @Test(
        "values that are refused",
        arguments: [
            "1.0", "1e2", "-0", "9223372036854775808", "null", "[null]", #"{"a": null}"#, #"{"a": 1, "a": 1}"#, #"{"__expr": "1"}"#,
            #"{"__extn": {"fn": "nope", "arg": "1"}}"#, #"{"__extn": {"fn": "ip", "arg": "x"}}"#, #"{"__extn": {"fn": "ip", "args": []}}"#,
            #"{"__entity": {"type": "U V", "id": "a"}}"#, #"{"__entity": {"type": "if", "id": "a"}}"#,
            #"{"__entity": {"type": "", "id": "a"}}"#,
            #"{"__entity": {"type": "A::__cedar", "id": "a"}}"#, #""\ud800""#, "01", "+1", "tru", "'a'", "[1,]", "{a: 1}",
        ])
    func refuses(_ json: String) {
        #expect(throws: DataError.self) { try value(json) }
    }

    @Test("values that are read")
    func values() throws {
        let uid = EntityUID(type: try #require(TypeName("A::U")), id: "x")
        #expect(try value("-9223372036854775808") == .long(.min))
        #expect(try value("true") == .bool(true))
        #expect(try value(#""\u00e9\ud83d\ude00\u0000\/""#) == .string("\u{E9}\u{1F600}\0/"))
        #expect(try value("\"e\u{301}\"") != .string("\u{E9}"))
        #expect(try value("[1, 1, 2]") == Value.Elements([.long(2), .long(1)]).map(Value.set))
        #expect(try value(#"{"__entity": {"type": "A::U", "id": "x", "more": 1}}"#) == .entity(uid))
        #expect(try value(#"{"__extn": {"fn": "decimal", "arg": "1.5"}}"#) == .decimal(Value.Decimal(tenThousandths: 15_000)))
        let offset = #"""
            {"__extn": {"fn": "offset", "args": [{"__extn": {"fn": "datetime", "arg": "1970-01-01"}},
              {"__extn": {"fn": "duration", "arg": "-1ms"}}]}}
            """#
        #expect(try value(offset) == .datetime(Value.Datetime(milliseconds: -1)))
        // An object whose shape is not quite that of an escape is a record.
        for record in [
            #"{"__entity": {"type": "U"}}"#, #"{"__entity": {"type": "U", "id": "x"}, "y": 1}"#, #"{"__extn": {"fn": "ip"}}"#,
            #"{"__expr": 1}"#,
            #"{"type": "U", "id": "x"}"#,
        ] {
            guard case .record? = try value(record) else {
                Issue.record("\(record) is no record")
                continue
            }
        }
    }

    @Test(
        "entities that are refused",
        arguments: [
            #"[{"uid":{"type":"U","id":"a"},"attrs":{},"parents":[{"type":"U","id":"a"}]}]"#,
            #"[{"uid":{"type":"U","id":"a"},"attrs":{},"parents":[{"type":"U","id":"b"}]},{"uid":{"type":"U","id":"b"},"attrs":{},"parents":[{"type":"U","id":"a"}]}]"#,
            #"[{"uid":{"type":"U","id":"a"},"attrs":{"x":1.0},"parents":[]}]"#, #"[{"uid":{"type":"U","id":"a"},"attrs":{}}]"#,
            #"[{"uid":{"type":"U","id":"a"},"parents":[]}]"#, #"[{"attrs":{},"parents":[]}]"#,
            #"[{"uid":"U::\"a\"","attrs":{},"parents":[]}]"#,
            #"[{"uid":{"type":"U","id":"a"},"attrs":{},"parents":[],"tags":null}]"#, #"[{"uid":{"__expr":"a"},"attrs":{},"parents":[]}]"#,
            #"[{"uid":{"type":"U","id":"a"},"attrs":{},"parents":[]},{"uid":{"type":"U","id":"a"},"attrs":{"x":1},"parents":[]}]"#,
            #"[{"uid":{"type":"U","id":"a"},"attrs":{},"parents":[],"tags":{"a":1,"a":1}}]"#, "{}", "[1]", "[] []", "\u{FEFF}[]", "",
        ])
    func refusesEntities(_ json: String) {
        #expect(throws: DataError.self) { try Entities(parsing: json) }
    }

    @Test("a store knows every ancestor, also one that does not exist")
    func ancestors() throws {
        let json = #"""
            [{"uid": {"__entity": {"type": "U", "id": "a"}}, "attrs": {}, "parents": [{"type": "G", "id": "g"}, {"type": "G", "id": "g"}], "x": 1},
             {"uid": {"type": "G", "id": "g"}, "attrs": {}, "parents": [{"type": "G", "id": "gone"}]},
             {"uid": {"type": "G", "id": "g"}, "attrs": {}, "parents": [{"type": "G", "id": "gone"}]}]
            """#
        let entities = try Entities(parsing: json)
        let (user, gone) = (try EntityUID(parsing: #"U::"a""#), try EntityUID(parsing: #"G::"gone""#))
        #expect(entities.count == 2)
        #expect(entities.ancestors(of: user).count == 2)
        #expect(entities.isEntity(user, in: gone) && entities.isEntity(gone, in: gone) && !entities.isEntity(gone, in: user))
        let more = try entities.adding([Entity(uid: gone, parents: [EntityUID(type: gone.type, id: "top")])])
        #expect(more.ancestors(of: user).count == 3)
        #expect(throws: DataError.self) { try entities.adding([Entity(uid: gone, parents: [user])]) }
    }

    @Test("a store that grew by parts is the store that was loaded at once", arguments: [31, 32, 33, 34, 35, 36] as [UInt64])
    func adding(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let uids = (0..<14).map { EntityUID(type: TypeName(components: ["U"]), id: ExactString("\($0)")) }
        for _ in 0..<100 {
            // Parents come before in the list, so there is no cycle; the parts come in any order.
            let entities = uids.indices.filter { _ in Int.random(in: 0..<5, using: &numbers) > 0 }.map { index in
                Entity(
                    uid: uids[index], parents: Set(uids[..<index].shuffled(using: &numbers).prefix(Int.random(in: 0...2, using: &numbers))))
            }.shuffled(using: &numbers)
            var grown = Entities.empty
            var rest = entities[...]
            while !rest.isEmpty {
                let part = rest.prefix(Int.random(in: 1...5, using: &numbers))
                rest.removeFirst(part.count)
                grown = try grown.adding(Array(part))
            }
            let whole = try Entities(entities)
            #expect(grown.all == whole.all && grown.count == whole.count)
            for uid in uids { #expect(grown.ancestors(of: uid) == whole.ancestors(of: uid)) }
        }
    }

    @Test("hints let values stand without escapes")
    func hints() throws {
        struct Hints: TypeHints {
            func attributeHints(of type: TypeName) -> [ExactString: TypeHint] {
                [
                    "e": .entity, "ip": .extensionValue(.ipaddr), "s": .set(.extensionValue(.decimal)),
                    "r": .record(["d": .extensionValue(.datetime)]),
                ]
            }
            func tagHint(of type: TypeName) -> TypeHint { .extensionValue(.duration) }
            func contextHints(of action: EntityUID) -> [ExactString: TypeHint] { ["ip": .extensionValue(.ipaddr)] }
            var actions: [Entity] { [Entity(uid: EntityUID(type: TypeName(components: ["Action"]), id: "x"))] }
        }
        func load(_ attributes: String) throws -> Entities {
            try Entities(
                parsing: #"[{"uid": {"type": "U", "id": "a"}, "attrs": \#(attributes), "tags": {"t": "1s"}, "parents": []}]"#,
                hints: Hints())
        }
        let entities = try load(
            #"{"e": {"type": "U", "id": "b"}, "ip": "::1", "s": ["1.0", {"__extn": {"fn": "decimal", "arg": "1.00"}}], "r": {"d": {"fn": "offset", "args": ["1970-01-01", "1s"]}}}"#
        )
        let user = try #require(entities[EntityUID(parsing: #"U::"a""#)])
        #expect(user.attributes["e"] == .entity(try EntityUID(parsing: #"U::"b""#)))
        #expect(user.attributes["ip"] == .ip(try Value.IPAddress("::1")))
        #expect(user.attributes["s"] == Value.Elements([.decimal(Value.Decimal(tenThousandths: 10_000))]).map(Value.set))
        #expect(user.attributes["r"] == Value.Record(["d": .datetime(Value.Datetime(milliseconds: 1_000))]).map(Value.record))
        #expect(user.tags["t"] == .duration(Value.Duration(milliseconds: 1_000)))
        #expect(entities.count == 2)
        for wrong in [#"{"e": "U::\"b\""}"#, #"{"ip": 1}"#, #"{"s": [1]}"#, #"{"ip": {"a": 1}}"#] {
            #expect(throws: DataError.self) { try load(wrong) }
        }
        let request = try Request(
            parsing:
                #"{"principal": {"type": "U", "id": "a"}, "action": {"type": "Action", "id": "x"}, "resource": {"type": "R", "id": ""}, "context": {"ip": "::1"}}"#,
            hints: Hints())
        #expect(request.context["ip"] == .ip(try Value.IPAddress("::1")))
    }

    @Test(
        "contexts that are refused",
        arguments: [
            "[]", "null", "1", #"{"a": null}"#, #"{"__entity": {"type": "U", "id": "a"}}"#, #"{"__extn": {"fn": "ip", "arg": "::1"}}"#,
            #"{"a": 1, "a": 2}"#,
        ])
    func contexts(_ json: String) {
        #expect(throws: DataError.self) { try Request.context(parsing: json) }
    }

    @Test("an identity reads as it is written", arguments: [#"U::"a""#, #"A::B::"\0\n\"\\""#, #"U::"""#])
    func identities(_ text: String) throws {
        #expect(try EntityUID(parsing: text).description == text)
    }

    @Test(
        "texts that are no identity",
        arguments: ["", "U", #""a""#, #"::"a""#, #"U ::"a""#, #"U:: "a""#, #"U::"a" "#, #"U::"a"b"#, #"if::"a""#, "U::\"\\v\""])
    func noIdentities(_ text: String) {
        #expect(throws: DataError.self) { try EntityUID(parsing: text) }
    }
}
