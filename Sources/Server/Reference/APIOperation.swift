internal import JSON

/// One address of the server, as the document tells it.
struct APIOperation: Sendable {
    enum Access: Sendable {
        /// Without a credential.
        case open
        case key
        /// A key with the role admin or operator.
        case admin
        /// A key with the role operator.
        case `operator`
    }

    struct Parameter: Sendable {
        let name: String
        let place: String
        let schema: APISchema
        let isRequired: Bool
        let about: String?
    }

    struct Body: Sendable {
        /// By the type of content.
        let contents: [(type: String, schema: APISchema)]
        let isRequired: Bool
        let example: JSONValue?
    }

    struct Answer: Sendable {
        let status: Int
        let about: String
        /// By the type of content; none: no body. A refusal has the schema of its operation.
        var contents: [(type: String, schema: APISchema)]
        var isRefusal = false
    }

    let method: String
    let path: String
    let tag: String
    let summary: String
    let access: Access
    let parameters: [Parameter]
    let body: Body?
    let answers: [Answer]
    /// What the router calls it, where that is no path of OpenAPI; empty where the router has no part in it.
    let route: String?
    /// True where what comes back does not end by itself, or goes on as long as a run lives.
    let isStream: Bool
    /// The named schema of its refusals.
    let errors: String

    init(
        _ method: String, _ path: String, _ tag: String, _ summary: String, access: Access = .key, parameters: [Parameter] = [],
        body: Body? = nil, answers: [Answer], route: String? = nil, isStream: Bool = false, errors: String = "Error"
    ) {
        self.method = method
        self.path = path
        self.tag = tag
        self.summary = summary
        self.access = access
        self.parameters = parameters
        self.body = body
        self.answers = answers
        self.route = route
        self.isStream = isStream
        self.errors = errors
    }

    /// As ``Router/routes`` tells it; nil where the router has no part in it.
    var routeText: String? { route == "" ? nil : "\(method) \(route ?? path)" }

    /// `get_api_admin_keys_id`: unique, and the same in every release.
    var id: String {
        let words = path.split(whereSeparator: { !$0.isASCII || !($0.isLetter || $0.isNumber) })
        return ([method.lowercased()] + words.map { $0.lowercased() }).joined(separator: "_")
    }
}

extension APIOperation.Parameter {
    static func query(_ name: String, _ schema: APISchema, _ about: String? = nil, required: Bool = false) -> Self {
        Self(name: name, place: "query", schema: schema, isRequired: required, about: about)
    }
    static func path(_ name: String, _ schema: APISchema = .name, _ about: String? = nil) -> Self {
        Self(name: name, place: "path", schema: schema, isRequired: true, about: about)
    }
    static func header(_ name: String, _ schema: APISchema, _ about: String) -> Self {
        Self(name: name, place: "header", schema: schema, isRequired: false, about: about)
    }

    /// Of every list.
    static let page: [Self] = [
        .query("limit", .whole(1, 1_000), "Rows of one page; 100 without it."),
        .query("cursor", .string, "Where the page before ended: its `cursor`."),
    ]
    static let org = Self.query("org", .name, "The organisation; without it the caller's own, and for an operator every one.")
    static let project = Self.query("project", .name, "Of the organisation.")
    static let user = Self.query("user", .name, "Of the project.")
    static let scope = Self.query("scope", .string, "org:O, project:O/P, user:O/P/U or key:ID.")
    static let idempotencyKey = Self.header(
        "Idempotency-Key", APISchema(json: ["type": "string", "pattern": "^[ -~]{1,128}$"]),
        "The same key and body again answer the same record, for a day; the secret is not shown again.")
}

extension APIOperation.Body {
    static func json(_ schema: APISchema, required: Bool = true, example: JSONValue? = nil) -> Self {
        Self(contents: [("application/json", schema)], isRequired: required, example: example)
    }
}

extension APIOperation.Answer {
    static func json(_ about: String, _ schema: APISchema) -> Self { .json(200, about, schema) }
    static func json(_ status: Int, _ about: String, _ schema: APISchema) -> Self {
        Self(status: status, about: about, contents: [("application/json", schema)])
    }
    static func content(_ type: String, _ about: String, _ schema: APISchema = .string) -> Self {
        Self(status: 200, about: about, contents: [(type, schema)])
    }
    static func refusal(_ status: Int, _ about: String) -> Self {
        Self(status: status, about: about, contents: [], isRefusal: true)
    }
    static func empty(_ status: Int, _ about: String) -> Self { Self(status: status, about: about, contents: []) }
}
