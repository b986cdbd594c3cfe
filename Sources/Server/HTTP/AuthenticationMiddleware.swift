internal import HTTPTypes
internal import Hummingbird

/// Lets a request pass only with a valid credential, and only when its tenant hints repeat what the credential says.
struct AuthenticationMiddleware: RouterMiddleware {
    typealias Context = AppContext

    let authenticator: Authenticator
    /// False where `project` of the query says what is asked about: who administers an organisation asks about all its projects.
    var projectIsHint = true

    func handle(
        _ request: Request, context: AppContext, next: @concurrent (Request, AppContext) async throws -> Response
    ) async throws -> Response {
        let query = request.uri.queryParameters
        let hints = TenantHints(tenant: query["tenant"].map(String.init), project: projectIsHint ? query["project"].map(String.init) : nil)
        var context = context
        do throws(Authenticator.Failure) {
            context.caller = try await authenticator.authenticate(Self.credential(of: request), hints: hints)
        } catch {
            throw HTTPFailure(error)
        }
        return try await next(request, context)
    }

    /// The header, or for event streams that a browser opens with `EventSource`, which cannot set headers, the query.
    static func credential(of request: Request) -> String? {
        if let header = request.headers[.authorization] {
            let parts = header.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer" else { return "" }
            return parts[1].trimmingSpaces
        }
        if let key = request.headers[.apiKey] { return key }
        guard request.method == .get else { return nil }
        return request.uri.queryParameters["bearer_token"].map(String.init)
    }
}
