public import Hummingbird

/// Gives every `HTTPError` that a route throws the error document of the contract,
/// `{"error":{"message","type","code","param"}}`, instead of the router's shorter one. Add it outermost.
public struct ErrorDocumentMiddleware<Context: RequestContext>: RouterMiddleware {
    /// A middleware for the outermost place of a router.
    public init() {}

    /// Lets the route answer, and turns an error of it into a document.
    ///
    /// `@concurrent` is how the protocol's module, built without our upcoming features, declares the function type.
    @concurrent
    public func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError {
            return ErrorBody.response(status: error.status, headers: error.headers, message: error.body ?? error.status.reasonPhrase)
        }
    }
}
