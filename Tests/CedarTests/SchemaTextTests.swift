import Testing

@testable import Cedar

@Suite("The text form of a schema")
struct SchemaTextTests {
    @Test(
        arguments: [
            "", "entity U;", "entity A, B in [C, D]; entity C, D;", "entity A in B; entity B in A;", "entity A in [A];",
            "entity A in [];", "entity A { };", "entity A = { };", "entity A = { a: Long, };", "entity A { a: Long, a: String };",
            "entity A { a: Nope, a: String };",
            "entity A tags Set<Set<String>>;", "entity A { \"if\": Long, \"\"?: Bool } tags { x: A };",
            "entity E enum [\"a\", \"a\"]; entity U in [E] { e: E };", "entity enum enum [\"a\"]; entity tags tags Long;",
            "entity entity; entity type; entity action; entity Set { s: Set, t: Set<Set> };",
            "entity Long; entity U { a: Long, b: __cedar::Long };", "type decimal = Long; entity U { a: decimal };",
            "type T = Long; entity T; entity U { a: T };", "type T = { a: S }; type S = Set<T2>; type T2 = Long;",
            "namespace A { entity U { t: T, u: B::U }; type T = U; } namespace B { entity U; }",
            "namespace A { entity U { b: B::U }; } namespace B { entity U { a: A::U }; }",
            "namespace A::B { entity U; } entity V in A::B::U;", "namespace A { entity Long; }",
            "action a;", "action a, \"b\\u{1}\", c in [a2]; action a2;", "action \"in\"; action __cedar;",
            "entity U; action a appliesTo { principal: U, resource: [U, U] };",
            "entity U; action a appliesTo { resource: U, context: {}, principal: [U], } attributes {};",
            "type C = { a?: Long }; entity U; action a appliesTo { principal: U, resource: U, context: C };",
            "namespace N { action b; action a in [b, \"b\", Action::\"b\", N::Action::\"b\"]; }",
            "action b; namespace N { action a in [b, Action::\"b\"]; }", "action a in b; action b in c; action c;",
            "action a; entity U { x: Action };", "namespace N { action a; entity U { x: Action, y: N::Action }; }",
            "action a; namespace N { entity U { x: Action }; }", "type Action = Long; entity U { a: Action };",
            "@a @b(\"x\") @if(\"y\") namespace N { @c entity U { @d @in(\"\") a: Long }; @e action x; @f type T = Long; }",
            "// a comment\nentity U; // another\r entity V;", "entity U { a: __cedar::Bool, b: __cedar::datetime };",
            "entity U { __cedar: Long };", "@__cedar entity U;", "entity String { a: Bool }; entity U { s: String };",
        ])
    func accepts(_ text: String) throws {
        let document = try SchemaDocument(text: text)
        let schema = try Schema(document)
        let again = try Schema(text: document.text())
        #expect(again.description == schema.description)
    }

    @Test(
        arguments: [
            ";", "entity U", "entity U;;", "entity ;", "entity if;", "entity U, U;", "entity U; entity U;", "entity Action;",
            "namespace N { entity Action; }", "entity U in [V];", "entity U in [V,]; entity V;", "entity V; entity U in V::;",
            "entity U tags Long in V; entity V;", "entity U = ;", "entity U = Long;", "entity U { a: Boolean };",
            "entity U { a: __cedar::Boolean };", "entity U { a: __cedar::Nope };", "entity U { a Long };", "entity U { in: Long };",
            "entity U { , };", "entity U { a: Set };", "entity U { a: Set<> };", "entity U { a: Set<Long };", "entity __cedar;",
            "namespace __cedar { }", "namespace A::__cedar { }", "type __cedar = Long;", "type Long = String;", "type Set = Long;",
            "type Entity = Long;", "type Boolean = Bool;", "type T;", "type T = T;", "type A = B; type B = { a: Set<A> };",
            "type A = Nope;", "type T = Long; type T = Long;", "entity E enum [];", "entity E enum [a];", "entity E enum [\"a\",];",
            "entity E in [U] enum [\"a\"]; entity U;", "entity E enum [\"a\"] tags Long;", "entity E enum [\"a\"] { };",
            "namespace N { };", "namespace N { namespace M { } }", "namespace N { } namespace N { }", "namespace { }",
            "entity T; namespace A { type T = Long; }", "type T = Long; namespace A { entity T; }", "action a; namespace N { action a; }",
            "namespace A { entity U { b: B::V }; } namespace B { entity U; }",
            "namespace A { entity U { b: C::V }; } namespace A::C { entity V; }",
            "action a in [a];", "action a in b; action b in a;", "action a in [b];", "action a in []; action b;",
            "action a in [b,]; action b;",
            "action a; action a;", "action a, a;", "action in;", "action a in A::B; action b;", "action a in Foo::\"b\"; action b;",
            "entity U; action a appliesTo {};", "entity U; action a appliesTo { principal: [U] };",
            "entity U; action a appliesTo { principal: [], resource: U };",
            "entity U; action a appliesTo { principal: U, resource: U, principal: U };",
            "entity U; action a appliesTo { principal: U, resource: U, context: {}, context: {} };",
            "entity U; action a appliesTo { principal: U, resource: U, context: U };",
            "entity U; action a appliesTo { principal: U, resource: U, context: Long };",
            "type C = Long; entity U; action a appliesTo { principal: U, resource: U, context: C };",
            "type C = {}; entity U; action a appliesTo { principal: C, resource: U };",
            "entity U; action a appliesTo { principal: Action, resource: U };", "action a attributes { x: Long };",
            "entity U; action a appliesTo { principal: U, resource: U } in b; action b;", "entity U { x: Action };",
            "@a @a entity U;", "@a() entity U;", "@a(b) entity U;", "@a", "entity U { @a @a x: Long };", "type T = Long",
            "entity U /* c */;",
            "entity \"U\";", "entity U { \"a\\*\": Long };", "\u{FEFF}entity U;", "entity U { a: Long;",
        ])
    func refuses(_ text: String) {
        #expect(throws: SchemaError.self) { try Schema(text: text) }
    }

    @Test func namesThePlace() {
        let error = #expect(throws: SchemaError.self) { try Schema(text: "entity U {\n  a: Lnog,\n};") }
        #expect(error?.description == "line 2, column 6: There is no type `Lnog`.")
    }

    @Test func namesThatAreDeclaredHideBuiltIns() throws {
        let schema = try Schema(
            text: "entity Long; namespace N { type decimal = String; entity U { a: Long, b: decimal, c: __cedar::Long }; }")
        let type = try #require(TypeName("N::U"))
        #expect(schema.entityDefinitions[type]?.attributes.description == "{a: Long, b: String, c: Long}")
        let long = try #require(TypeName("Long"))
        #expect(schema.entityDefinitions[type]?.attributes.attributes["a"]?.type == .entity(long))
        #expect(schema.entityDefinitions[type]?.attributes.attributes["c"]?.type == .long)
    }

    @Test func followsHierarchies() throws {
        let schema = try Schema(text: "entity A in B; entity B in [C, B]; entity C; action x in y; action y in z; action z;")
        let a = try #require(TypeName("A"))
        let b = try #require(TypeName("B"))
        let c = try #require(TypeName("C"))
        #expect(schema.entityDefinitions[a]?.ancestors == [b, c])
        #expect(schema.entityDefinitions[b]?.ancestors == [b, c])
        #expect(schema.entityDefinitions[c]?.descendants == [a, b])
        let action = try #require(TypeName("Action"))
        let x = EntityUID(type: action, id: "x")
        let y = EntityUID(type: action, id: "y")
        let z = EntityUID(type: action, id: "z")
        #expect(schema.actionDefinitions[x]?.ancestors == [y, z])
        #expect(schema.actionDefinitions[z]?.descendants == [x, y])
        #expect(schema.actionDefinitions[y]?.ancestors == [z])
    }

    @Test func refusesDeepTypes() {
        let deep = String(repeating: "Set<", count: 100_000) + "Long" + String(repeating: ">", count: 100_000)
        #expect(throws: SchemaError.self) { try Schema(text: "type T = \(deep);") }
        #expect(throws: SchemaError.self) { try Schema(text: "type T = " + String(repeating: "{a:", count: 100_000)) }
        let chain = (0..<5_000).map { "type T\($0) = Set<T\($0 + 1)>;" }.joined() + "type T5000 = Long;"
        #expect(throws: SchemaError.self) { try Schema(text: chain) }
        let backwards = (0..<5_000).reversed().map { "type T\($0) = Set<T\($0 + 1)>;" }.joined()
        #expect(throws: SchemaError.self) { try Schema(text: "type T5000 = Long;" + backwards) }
    }

    @Test func refusesTypesThatGrowWithoutEnd() {
        let doubling = (0..<40).map { "type T\($0) = { a: T\($0 + 1), b: T\($0 + 1) };" }.joined() + "type T40 = Long;"
        #expect(throws: SchemaError.self) { try Schema(text: doubling) }
    }
}
