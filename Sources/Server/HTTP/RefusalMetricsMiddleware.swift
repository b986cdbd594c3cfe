internal import Hummingbird
internal import Telemetry

/// Counts every request that a route refuses, by the code of the answer. Codes are ours and few, never a client's words.
struct RefusalMetricsMiddleware<Context: RequestContext>: RouterMiddleware {
    let metrics: ServerMetrics

    // `@concurrent` is how the protocol's module, built without our upcoming features, declares the function type.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let failure as HTTPFailure {
            metrics.requestsRefused(code: failure.code).add()
            throw failure
        }
    }
}
