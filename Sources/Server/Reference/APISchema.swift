internal import JSON

/// A JSON Schema of the document of addresses (OpenAPI 3.1, so draft 2020-12).
struct APISchema: Sendable {
    /// A member of an object.
    struct Member: Sendable {
        let name: String
        let schema: APISchema
        let isRequired: Bool

        /// One that is always there.
        static func need(_ name: String, _ schema: APISchema) -> Member { Member(name: name, schema: schema, isRequired: true) }
        /// One that may be left out.
        static func may(_ name: String, _ schema: APISchema) -> Member { Member(name: name, schema: schema, isRequired: false) }
    }

    let json: JSONValue

    static let string = APISchema(json: ["type": "string"])
    static let integer = APISchema(json: ["type": "integer"])
    static let number = APISchema(json: ["type": "number"])
    static let flag = APISchema(json: ["type": "boolean"])
    /// Whatever it is.
    static let any = APISchema(json: [:])
    static let anyObject = APISchema(json: ["type": "object"])
    /// Dollars as an exact decimal.
    static let money = APISchema(json: ["type": "string", "pattern": "^-?[0-9]+\\.[0-9]{2,9}$", "description": "US dollars, exact."])
    static let instant = APISchema(json: ["type": "integer", "description": "Milliseconds since 1970, UTC."])
    /// As a request may give it.
    static let when = APISchema(json: [
        "anyOf": [["type": "integer", "minimum": 0, "maximum": 253_402_300_799_999], ["type": "string", "format": "date-time"]],
        "description": "Milliseconds since 1970, or RFC 3339.",
    ])
    /// A name of an organisation, a project, a user or a key.
    static let name = APISchema(json: ["type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[^\\s/{}]+$"])
    /// A decimal string where the unit is money, else a whole number.
    static let amount = APISchema(json: [
        "anyOf": [["type": "string"], ["type": "integer"]], "description": "A decimal string of dollars for `usd`, else a whole number.",
    ])

    static func text(_ least: Int64 = 0, _ most: Int64) -> APISchema {
        APISchema(json: ["type": "string", "minLength": .integer(least), "maxLength": .integer(most)])
    }
    static func whole(_ least: Int64, _ most: Int64) -> APISchema {
        APISchema(json: ["type": "integer", "minimum": .integer(least), "maximum": .integer(most)])
    }
    static func word(_ words: [String]) -> APISchema { APISchema(json: ["type": "string", "enum": .array(words.map { .string($0) })]) }
    static func constant(_ value: JSONValue) -> APISchema { APISchema(json: ["const": value]) }
    static func list(_ items: APISchema, most: Int64? = nil) -> APISchema {
        var object = JSONObject([("type", "array"), ("items", items.json)])
        object["maxItems"] = most.map { .integer($0) }
        return APISchema(json: .object(object))
    }
    /// Of any names, with values of one kind.
    static func map(_ values: APISchema) -> APISchema { APISchema(json: ["type": "object", "additionalProperties": values.json]) }
    /// One of the named schemas of ``APIComponents``.
    static func of(_ name: String) -> APISchema { APISchema(json: ["$ref": .string("#/components/schemas/\(name)")]) }

    /// - Parameter isClosed: whether other members are refused, as in requests; answers may grow.
    static func object(_ members: [Member], isClosed: Bool = false) -> APISchema {
        let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
        var object = JSONObject([("type", "object"), ("properties", .object(JSONObject(members.map { ($0.name, $0.schema.json) })))])
        if !required.isEmpty { object["required"] = .array(required) }
        if isClosed { object["additionalProperties"] = false }
        return APISchema(json: .object(object))
    }

    /// Both: members of one and of the other.
    static func both(_ first: APISchema, _ second: APISchema) -> APISchema { APISchema(json: ["allOf": [first.json, second.json]]) }

    /// A page of a list.
    static func page(_ row: APISchema) -> APISchema {
        object([.need("data", list(row)), .need("cursor", string.orNull)])
    }

    var orNull: APISchema { APISchema(json: ["anyOf": [json, ["type": "null"]]]) }

    func describing(_ text: String) -> APISchema {
        var object = json.objectValue ?? JSONObject()
        object["description"] = .string(text)
        return APISchema(json: .object(object))
    }
}
