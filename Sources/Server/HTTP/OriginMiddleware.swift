internal import HTTPTypes
internal import Hummingbird
internal import Transport

/// The one `origins` setting on REST: a page that may not call gets 403, one that may gets the CORS headers it needs.
///
/// Credentials are never sent by the browser on its own (there are no cookies), so `Access-Control-Allow-Credentials` is
/// never needed. Source: Fetch Standard, *CORS protocol*.
struct OriginMiddleware: RouterMiddleware {
    typealias Context = AppContext

    let policy: OriginPolicy

    func handle(
        _ request: Request, context: AppContext, next: @concurrent (Request, AppContext) async throws -> Response
    ) async throws -> Response {
        let origins = request.headers[values: .origin]
        switch policy.verdict(origins: origins, host: request.head.authority) {
        case .same: return try await answer(request, context, next)
        case .denied, .malformed:
            throw HTTPFailure(
                .forbidden, code: "origin_denied", type: "permission_error",
                message: "Pages of this origin may not call this server; add it to server.origins.")
        case .cross(let allowed):
            if request.method == .options, request.headers[.accessControlRequestMethod] != nil { return Self.preflight(allowed) }
            var response = try await answer(request, context, next)
            response.headers[.accessControlAllowOrigin] = allowed
            response.headers[.accessControlExposeHeaders] = BudgetHeaders.exposed
            response.headers[values: .vary].append("Origin")
            return response
        }
    }

    /// Errors become responses here, so that a page of another origin can read them.
    private func answer(
        _ request: Request, _ context: AppContext, _ next: @concurrent (Request, AppContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let failure as HTTPFailure {
            return try failure.response(from: request, context: context)
        }
    }

    private static func preflight(_ allowed: String) -> Response {
        Response(
            status: .noContent,
            headers: [
                .accessControlAllowOrigin: allowed, .accessControlAllowMethods: "GET, POST, PUT, PATCH, DELETE",
                .accessControlAllowHeaders:
                    "authorization, content-type, x-api-key, anthropic-version, last-event-id, x-request-id, traceparent, tracestate",
                .accessControlMaxAge: "600", .vary: "Origin",
            ])
    }
}
