internal import ArgumentParser
internal import JSON

/// The document of all addresses: OpenAPI 3.1, made from one table.
///
/// Source: OpenAPI Specification 3.1.1.
enum APIDocument {
    /// All addresses. A route without a line here, or a line without a route, shows as `x-undescribed` or `x-unserved`, and fails a test.
    static let operations: [APIOperation] =
        openOperations + runOperations + accountOperations + knowledgeOperations + liteLLMOperations + tenantOperations + keyOperations
        + moneyOperations + dialectOperations + liveOperations + publishOperations + catalogOperations + decisionOperations
        + policyOperations
        + systemOperations

    /// - Parameter routes: what the router has, as `GET /v1/models/{id}`.
    static func json(routes: [String]) -> JSONValue {
        var paths: [(String, JSONObject)] = []
        for operation in operations {
            let index = paths.firstIndex { $0.0 == operation.path } ?? paths.endIndex
            if index == paths.endIndex { paths.append((operation.path, JSONObject())) }
            paths[index].1[operation.method.lowercased()] = json(operation)
        }
        var document = JSONObject([
            ("openapi", "3.1.1"),
            (
                "info",
                [
                    "title": "KDCube", "version": .string(KDCube.configuration.version),
                    "summary": "A realtime server for AI agents that pays for every token before it forwards it.",
                    "description": .string(about), "license": ["name": "MIT", "identifier": "MIT"],
                ]
            ),
            ("servers", [["url": "/"]]),
            ("tags", .array(tags.map { ["name": .string($0.name), "description": .string($0.about)] })),
            ("security", [["bearer": []], ["apiKey": []]]),
            ("paths", .object(JSONObject(paths.map { ($0.0, .object($0.1)) }))),
            (
                "components",
                [
                    "schemas": .object(JSONObject(APIComponents.schemas.map { ($0.name, $0.schema.json) })),
                    "securitySchemes": [
                        "bearer": [
                            "type": "http", "scheme": "bearer", "description": "An API key (`kd-…`) or a JWT of a configured issuer.",
                        ],
                        "apiKey": ["type": "apiKey", "in": "header", "name": "x-api-key"],
                    ],
                ]
            ),
        ])
        let described = Set(operations.compactMap(\.routeText))
        let (undescribed, unserved) = (Set(routes).subtracting(described).sorted(), described.subtracting(routes).sorted())
        if !undescribed.isEmpty { document["x-undescribed"] = .array(undescribed.map { .string($0) }) }
        if !unserved.isEmpty { document["x-unserved"] = .array(unserved.map { .string($0) }) }
        document["x-events"] = .array(SocketEvents.all.map(\.json))
        return .object(document)
    }

    private static let about = """
        Every answer has `x-request-id`. A refusal is `{"error": {message, type, code, param}}`. Money is a decimal string, counts are \
        integers, instants are milliseconds since 1970. The role `admin` administers its own organisation, the role `operator` every one. \
        Addresses of Socket.IO are under `/socket.io/`; their events by namespace are in `x-events`, their arguments in docs/protocol.md.
        """

    private static let tags: [(name: String, about: String)] = [
        ("pages", "What a browser opens."), ("health", "For load balancers, probes and Prometheus."),
        ("runs", "Model output, token by token."),
        ("account", "What a key may know of itself."), ("knowledge", "Documents of the caller's project."),
        ("litellm", "The subset of LiteLLM's addresses for drop-in use."), ("tenants", "Organisations, projects and users."),
        ("keys", "API keys."), ("money", "Budgets, usage, ledger and prices."),
        ("decisions", "What was decided, and what waits for people."),
        ("policies", "What the model may do."), ("system", "The server itself."),
    ]

    private static func json(_ operation: APIOperation) -> JSONValue {
        var object = JSONObject([
            ("operationId", .string(operation.id)), ("tags", [.string(operation.tag)]), ("summary", .string(operation.summary)),
        ])
        switch operation.access {
        case .open: object["security"] = []
        case .key: break
        case .admin: object["description"] = "For keys with the role `admin` or `operator`."
        case .operator: object["description"] = "For keys with the role `operator`."
        }
        if !operation.parameters.isEmpty {
            object["parameters"] = .array(
                operation.parameters.map { parameter in
                    var member = JSONObject([
                        ("name", .string(parameter.name)), ("in", .string(parameter.place)), ("required", .bool(parameter.isRequired)),
                        ("schema", parameter.schema.json),
                    ])
                    member["description"] = parameter.about.map { .string($0) }
                    return .object(member)
                })
        }
        if let body = operation.body {
            object["requestBody"] = [
                "required": .bool(body.isRequired),
                "content": .object(
                    JSONObject(
                        body.contents.map { content in
                            var media = JSONObject([("schema", content.schema.json)])
                            media["example"] = body.example
                            return (content.type, .object(media))
                        })),
            ]
        }
        object["responses"] = .object(JSONObject(responses(operation)))
        if operation.isStream { object["x-stream"] = true }
        return .object(object)
    }

    private static func responses(_ operation: APIOperation) -> [(String, JSONValue)] {
        var answers = operation.answers
        if operation.body != nil {
            answers += [.refusal(400, "A field is not as it should be; `param` names it."), .refusal(413, "The body is too large.")]
        } else if operation.parameters.contains(where: { $0.place != "header" }) {
            answers.append(.refusal(400, "A parameter is not as it should be; `param` names it."))
        }
        if operation.access != .open {
            answers += [
                .refusal(401, "No credential, or one that is not valid."), .refusal(403, "The key may not do this, or not there."),
                .refusal(503, "A store cannot be reached; try again."),
            ]
        }
        let errors = APISchema.of(operation.errors)
        // An answer of one status may be of several types; of two refusals the first says more.
        var listed: [APIOperation.Answer] = []
        for answer in answers {
            guard let index = listed.firstIndex(where: { $0.status == answer.status }) else {
                listed.append(answer)
                continue
            }
            listed[index].contents += answer.contents
        }
        listed.sort { $0.status < $1.status }
        return listed.map { answer in
            var response = JSONObject([("description", .string(answer.about))])
            let contents = answer.isRefusal ? [("application/json", errors)] : answer.contents
            if !contents.isEmpty {
                response["content"] = .object(JSONObject(contents.map { ($0.0, ["schema": $0.1.json]) }))
            }
            return (String(answer.status), .object(response))
        } + [
            (
                "default",
                ["description": "Any other refusal.", "content": ["application/json": ["schema": errors.json]]] as JSONValue
            )
        ]
    }
}
