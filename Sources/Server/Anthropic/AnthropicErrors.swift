internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// Answers clients of Anthropic's dialect in it: refusals in its shape, and the request's name where its SDKs look for it.
///
/// These are the requests of `/v1/messages`, and those that name a version of its API, for the addresses that both dialects have.
/// Statuses and codes stay the contract's.
struct AnthropicErrors: RouterMiddleware {
    typealias Context = AppContext

    func handle(
        _ request: Request, context: AppContext, next: @concurrent (Request, AppContext) async throws -> Response
    ) async throws -> Response {
        guard request.headers[.anthropicVersion] != nil || Self.isMessages(request.uri.path) else {
            return try await next(request, context)
        }
        var response: Response
        do {
            response = try await next(request, context)
        } catch let failure as HTTPFailure {
            response = .json(failure.anthropicObject(context.id), status: failure.status)
            response.headers.append(contentsOf: failure.headers)
        }
        response.headers[.anthropicRequestID] = context.id
        for (ours, theirs) in Self.limits { response.headers[theirs] = response.headers[ours] }
        return response
    }

    /// What is left, by the names that Anthropic's clients look for.
    private static let limits: [(HTTPField.Name, HTTPField.Name)] = [
        (.limitRequests, .known("anthropic-ratelimit-requests-limit")),
        (.remainingRequests, .known("anthropic-ratelimit-requests-remaining")),
        (.limitTokens, .known("anthropic-ratelimit-tokens-limit")), (.remainingTokens, .known("anthropic-ratelimit-tokens-remaining")),
    ]

    private static func isMessages(_ path: String) -> Bool { path == "/v1/messages" || path.hasPrefix("/v1/messages/") }
}

extension HTTPFailure {
    /// Anthropic's error document. Its type is one of Anthropic's own, our code stands beside it.
    func anthropicObject(_ requestID: String) -> JSONValue {
        var members = error.objectValue ?? JSONObject()
        members["type"] = .string(anthropicType)
        return ["type": "error", "error": .object(members), "request_id": .string(requestID)]
    }

    /// Source: Anthropic API reference, *Errors*.
    private var anthropicType: String {
        switch status.code {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503: "overloaded_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }
}

extension HTTPField.Name {
    static let anthropicVersion = known("anthropic-version")
    static let anthropicRequestID = known("request-id")
}
