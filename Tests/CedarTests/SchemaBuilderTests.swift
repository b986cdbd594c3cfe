import Testing

@testable import Cedar

@Suite("Schemas made in code")
struct SchemaBuilderTests {
    /// What a small catalog of tools becomes.
    private func catalog() -> SchemaBuilder {
        var builder = SchemaBuilder()
        builder.entity("Org")
        builder.entity("Role")
        builder.entity("User", in: ["Role", "Org"], attributes: [.required("email", .string), .optional("level", .long)], tags: .string)
        builder.enumeration("Currency", ["EUR", "USD"], annotations: [SchemaAnnotation(key: "doc", value: "ISO 4217")])
        builder.type("Money", .record([.required("amount", .decimal), .required("currency", .named("Currency"))]))
        builder.actionGroup("tools")
        builder.action(
            "orders.refund", in: ["tools"], principals: ["User"], resources: ["Org"],
            context: [
                .required(
                    "args",
                    .record([
                        .required("order", .string), .required("money", .named("Money")), .optional("lines", .set(.long)),
                        .optional("note text", .string), .optional("in", .bool),
                    ])),
                .required("history", .set(.record([.required("tool", .string), .required("key", .string)]))), .optional("now", .datetime),
            ])
        return builder
    }

    @Test func printsWhatItMeans() throws {
        let text = try catalog().text()
        #expect(
            text == """
                type Money = {
                    amount: decimal,
                    currency: Currency,
                };
                entity Org;
                entity Role;
                entity User in [Role, Org] = {
                    email: String,
                    level?: Long,
                } tags String;
                @doc("ISO 4217")
                entity Currency enum ["EUR", "USD"];
                action tools;
                action "orders.refund" in [tools] appliesTo {
                    principal: [User],
                    resource: [Org],
                    context: {
                        args: {
                            order: String,
                            money: Money,
                            lines?: Set<Long>,
                            "note text"?: String,
                            "in"?: Bool,
                        },
                        history: Set<{
                            tool: String,
                            key: String,
                        }>,
                        now?: datetime,
                    },
                };

                """)
        #expect(try Schema(text: text) == catalog().schema())
    }

    @Test func validatesPolicies() throws {
        let schema = try catalog().schema()
        func isValid(_ condition: String) throws -> Bool {
            let text = "permit(principal, action == Action::\"orders.refund\", resource) when { \(condition) };"
            return try schema.validate(PolicySet(parsing: text).policies).isValid
        }
        #expect(try isValid("context.args.money.amount.lessThanOrEqual(decimal(\"200.00\"))"))
        #expect(try isValid("context.history.contains({tool: \"orders.read\", key: context.args.order})"))
        #expect(try isValid("context.args has \"note text\" && context.args[\"note text\"] like \"*x*\""))
        #expect(try !isValid("context.args.money.amount < 200"))
        #expect(try !isValid("context.args.lines.contains(1)"))
        #expect(try !isValid("context.args.money.currency == Currency::\"GBP\""))
    }

    @Test func putsDeclarationsInANamespace() throws {
        var builder = SchemaBuilder(namespace: "Shop::Tools")
        builder.entity("User", attributes: [.optional("boss", .named("Shop::Tools::User"))])
        builder.action("x", principals: ["User"], resources: ["User"])
        let schema = try builder.schema()
        let user = try #require(TypeName("Shop::Tools::User"))
        #expect(schema.entityDefinitions[user]?.attributes.attributes["boss"]?.type == .entity(user))
        #expect(try builder.text().hasPrefix("namespace Shop::Tools {\n    entity User = {\n        boss?: Shop::Tools::User,\n"))
        #expect(try Schema(text: builder.text()) == schema)
    }

    @Test func namesTheDeclarationOfAFault() {
        var builder = catalog()
        builder.action("files.read", principals: ["User"], resources: ["Org"], context: [.required("path", .named("Path"))])
        let unknown = #expect(throws: SchemaError.self) { try builder.schema() }
        #expect(unknown?.description == "action \"files.read\": There is no type `Path`.")
        var badName = SchemaBuilder(namespace: "a b")
        badName.entity("U")
        #expect(throws: SchemaError.self) { try badName.text() }
        var twice = catalog()
        twice.entity("User")
        #expect(throws: SchemaError.self) { try twice.schema() }
        var none = SchemaBuilder()
        none.enumeration("E", [])
        #expect(throws: SchemaError.self) { try none.schema() }
    }

    @Test func namesMayHoldAnything() throws {
        var builder = SchemaBuilder()
        builder.entity(
            "U",
            attributes: [.required("", .long), .required("\0\"\\\n\u{301}", .string), .required("é", .bool), .required("e\u{301}", .bool)])
        builder.action("a\u{202E}b \u{0}", principals: ["U"], resources: ["U"])
        #expect(try Schema(text: builder.text()) == builder.schema())
        #expect(try builder.schema().entityDefinitions.values.first?.attributes.attributes.count == 4)
    }

    @Test func refusesTypesWithoutEnd() throws {
        var type = SchemaTypeExpression.long
        for _ in 0..<1_000 { type = .set(type) }
        var builder = SchemaBuilder()
        builder.entity("U", attributes: [.required("deep", type)])
        #expect(throws: SchemaError.self) { try builder.schema() }
    }
}
