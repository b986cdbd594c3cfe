internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// Lets only keys with a role for administration pass; stands behind ``AuthenticationMiddleware``.
///
/// `admin` administers its own organisation. `operator` administers all of them, and is what whoever runs the server has.
struct AdminMiddleware: RouterMiddleware {
    typealias Context = AppContext

    func handle(
        _ request: Request, context: AppContext, next: @concurrent (Request, AppContext) async throws -> Response
    ) async throws -> Response {
        guard try context.principal.isAdmin else {
            throw HTTPFailure(
                .forbidden, code: "role_required", type: "permission_error", message: "This address needs a key with the role admin.")
        }
        let author = AuditAuthor(try context.principal)
        return try await AuditAuthor.$current.withValue(author) { try await next(request, context) }
    }
}

extension Principal {
    var isAdmin: Bool { has(role: "admin") || isOperator }
    var isOperator: Bool { has(role: "operator") }

    /// Whether this admin may see and change what belongs to the organisation.
    func administers(org: OrgID) -> Bool { isOperator || has(role: "admin") && org == self.org }
}

/// `limit` and `cursor` of a list of `/api/admin`.
struct AdminPage: Sendable {
    let limit: Int
    /// Empty for the first page.
    let cursor: String

    init(_ request: Request) throws(HTTPFailure) {
        let query = request.uri.queryParameters
        if let text = query["limit"] {
            guard let value = Int(text), (1...StoreLimits.page).contains(value) else {
                throw .badRequest("limit must be from 1 to \(StoreLimits.page).", param: "limit")
            }
            limit = value
        } else {
            limit = 100
        }
        cursor = query["cursor"].map(String.init) ?? ""
    }

    func answer(_ rows: [JSONObject], next: String?) -> Response {
        .json(["data": .array(rows.map { .object($0) }), "cursor": next.map { .string($0) } ?? .null])
    }
}
