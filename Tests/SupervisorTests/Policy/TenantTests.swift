import JSON
import Supervisor
import Testing

@Suite("The tenant's boundary")
struct TenantTests {
    private func schema(_ tenant: String) throws -> ArgumentSchema {
        try ArgumentSchema(Shop.closed(["id": ["type": "string", "tenant": .string(tenant)]]))
    }

    @Test("64: another tenant's id is found wherever it stands: by itself, nested, in an array, in an address")
    func everywhere() throws {
        let deep = try ArgumentSchema(
            Shop.closed([
                "customer": ["type": ["string", "null"], "tenant": "{org}/{id}"],
                "order": Shop.closed(["buyer": Shop.closed(["id": ["type": "string", "tenant": "{org}:{project}:{id}"]])]),
                "all": [
                    "type": "array",
                    "items": ["type": "array", "items": ["type": "string", "tenant": "https://crm.example/{org}/customers/{id}"]],
                ],
            ]))
        func path(_ arguments: JSONObject) throws -> String? {
            try deep.validate(arguments)
            return deep.boundaryViolation(arguments, org: "acme", project: "web")?.path
        }
        #expect(try path([("customer", "acme/17")].object) == nil)
        #expect(try path([("customer", .null)].object) == nil)
        #expect(try path([("customer", "other/17")].object) == "customer")
        #expect(try path([("order", ["buyer": ["id": "acme:web:1"]])].object) == nil)
        #expect(try path([("order", ["buyer": ["id": "acme:shop:1"]])].object) == "order.buyer.id")
        #expect(try path([("order", ["buyer": ["id": "other:web:1"]])].object) == "order.buyer.id")
        #expect(try path([("all", [["https://crm.example/acme/customers/1"], []])].object) == nil)
        #expect(
            try path([("all", [["https://crm.example/acme/customers/1"], ["https://crm.example/other/customers/1"]])].object)
                == "all[1][0]")
        let error = deep.boundaryViolation([("customer", "other/17")].object, org: "acme", project: "web")
        #expect(error?.rule == "tenant")
        #expect(error?.message == "customer belongs to another tenant, or is not written like {org}/{id}")
    }

    @Test(
        "64: nothing that only looks like the caller's passes",
        arguments: [
            "other/1", "acme", "acme/", "/1", "ACME/1", "acme/1/2", "acme/../other/1", "acme/..", "acme/.", "acme//1", "acme/1%2F..",
            "acme/1?x",
            "acme/1#x", "acme/1 ", " acme/1", "acme/1\n", "acme\\1", "acme/ö", "аcme/1", "acme/1;x", "acme@other/1", "acme.other/1", "",
        ])
    func lookalikes(_ text: String) throws {
        let schema = try schema("{org}/{id}")
        #expect(schema.boundaryViolation([("id", .string(text))].object, org: "acme", project: "web") != nil)
        #expect(schema.boundaryViolation([("id", "acme/a-B_9.x~")].object, org: "acme", project: "web") == nil)
    }

    @Test("64: an address of another host, or with a user in front of it, is not the caller's")
    func addresses() throws {
        let schema = try schema("https://crm.example/{org}/customers/{id}")
        func passes(_ text: String) -> Bool {
            schema.boundaryViolation([("id", .string(text))].object, org: "acme", project: "web") == nil
        }
        #expect(passes("https://crm.example/acme/customers/17"))
        for text in [
            "https://crm.example/other/customers/17", "https://crm.example.evil/acme/customers/17",
            "https://acme@crm.example/other/customers/17", "http://crm.example/acme/customers/17",
            "https://crm.example/acme/customers/17/..",
            "https://crm.example/acme/customers/17?org=other", "https://crm.example/acme/../other/customers/17",
            "https://crm.example/%61cme/customers/17", "HTTPS://crm.example/acme/customers/17", "https://crm.example//acme/customers/17",
        ] { #expect(!passes(text), "\(text)") }
    }

    @Test(
        "64: a template that divides nothing, or has two readings, is refused",
        arguments: [
            "{id}", "plain", "", "{org}{id}", "{org}-{id}", "{org}.{id}", "{org}/{org}", "{org", "org}/{id}", "{or g}/{id}", "{}/{org}",
        ])
    func templates(_ text: String) throws {
        do throws(CatalogError) {
            _ = try ArgumentSchema(Shop.closed(["id": ["type": "string", "tenant": .string(text)]]))
            Issue.record("\(text) is taken")
        } catch {
            #expect(error.rule == "tenant")
        }
    }

    @Test(
        "the keyword is for plain texts alone",
        arguments: [
            ["type": "integer", "tenant": "{org}/{id}"], ["type": "string", "format": "date", "tenant": "{org}/{id}"],
            ["type": "string", "tenant": 5],
        ] as [JSONValue])
    func places(_ property: JSONValue) {
        #expect(throws: CatalogError.self) { try ArgumentSchema(Shop.closed(["id": property])) }
    }

    @Test("64: explanations and tests meet the boundary as calls do, whatever the policies say")
    func ruling() throws {
        let bundle = try Shop.bundle("@id(\"all\") permit (principal, action, resource);")
        let question: JSONValue = [
            "call": "payments.refund", "args": ["order_id": "A1", "amount": "5.00", "currency": "EUR", "customer": "other/17"],
        ]
        let ruling = try Shop.ask(bundle, question)
        #expect(ruling.told == "deny denied no-cross-tenant")
        #expect(ruling.refusal?.details["path"] == "customer")
    }
}

extension [(String, JSONValue)] {
    fileprivate var object: JSONObject { JSONObject(self) }
}
