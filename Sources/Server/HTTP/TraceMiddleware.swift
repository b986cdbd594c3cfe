internal import HTTPTypes
internal import Hummingbird
internal import Traces

/// Reads where in a trace a request belongs (W3C `traceparent` and `tracestate`). In front of the routes only where traces are recorded.
struct TraceMiddleware: RouterMiddleware {
    typealias Context = AppContext

    func handle(
        _ request: Request, context: AppContext, next: @concurrent (Request, AppContext) async throws -> Response
    ) async throws -> Response {
        guard let parent = TraceContext(request.headers) else { return try await next(request, context) }
        return try await TraceContext.$current.withValue(parent) { try await next(request, context) }
    }
}

extension TraceContext {
    private static let parentHeader = HTTPField.Name.known("traceparent")
    private static let stateHeader = HTTPField.Name.known("tracestate")

    /// What the body begins belongs there; without a place the body is called, and that is all.
    static func within<Value, Failure: Error>(
        _ context: TraceContext?, _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        guard let context else { return try await body() }
        let result = await $current.withValue(context) { () async -> Result<Value, Failure> in
            do throws(Failure) { return .success(try await body()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Nil without the header, and with two of them.
    init?(_ headers: HTTPFields) {
        let parents = headers[values: Self.parentHeader]
        guard parents.count == 1, let parent = parents.first else { return nil }
        self.init(traceparent: parent, state: headers[values: Self.stateHeader].joined(separator: ","))
    }
}
