internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// An answer that refuses: status, the OpenAI-style error object, and headers that tell a client what to do next.
///
/// The message is written for the caller; it never holds what another tenant or an upstream said, nor a stack trace.
/// Codes: contract, *HTTP*.
struct HTTPFailure: HTTPResponseError {
    let status: HTTPResponse.Status
    let code: String
    let type: String
    let message: String
    /// The field at fault, if there is one.
    let param: String?
    var headers: HTTPFields
    /// Which cap refused, with the members of `chat.cut`'s `cut`; nil when no cap did.
    let cut: JSONValue?
    /// Members that stand beside `error`, such as what is wrong with each line of a file.
    var beside = JSONObject()

    init(
        _ status: HTTPResponse.Status, code: String, type: String = "invalid_request_error", message: String, param: String? = nil,
        headers: HTTPFields = [:], cut: JSONValue? = nil
    ) {
        self.status = status
        self.code = code
        self.type = type
        self.message = message
        self.param = param
        self.headers = headers
        self.cut = cut
    }

    /// The members of `error`: also what a Socket.IO acknowledgement carries.
    var error: JSONValue {
        var object = JSONObject([
            ("message", .string(message)), ("type", .string(type)), ("code", .string(code)), ("param", param.map { .string($0) } ?? .null),
        ])
        if let cut { object["cut"] = cut }
        return .object(object)
    }

    var errorObject: JSONValue {
        var object = JSONObject([("error", error)])
        for member in beside.members { object[member.key] = member.value }
        return .object(object)
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = Response.json(errorObject, status: status)
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}

extension HTTPFailure {
    static func badRequest(_ message: String, param: String? = nil) -> HTTPFailure {
        HTTPFailure(.badRequest, code: "invalid_request_error", message: message, param: param)
    }

    static func notFound(_ what: String) -> HTTPFailure {
        HTTPFailure(.notFound, code: "not_found", message: "There is no \(what) here.")
    }

    static let unauthorized = HTTPFailure(
        .unauthorized, code: "invalid_api_key", type: "authentication_error",
        message: "Send a valid API key as “Authorization: Bearer kd-…” or “x-api-key”.", headers: [.wwwAuthenticate: "Bearer"])

    /// What a request names is another organisation's, or none's.
    static func scopeDenied(param: String) -> HTTPFailure {
        HTTPFailure(
            .forbidden, code: "scope_denied", type: "permission_error", message: "This key administers another organisation.", param: param)
    }

    static func tenantMismatch(_ mismatch: TenantMismatch) -> HTTPFailure {
        HTTPFailure(
            .forbidden, code: "tenant_mismatch", type: "permission_error",
            message: "The \(mismatch.field) in the request is not the credential's.", param: mismatch.field)
    }
}

extension Response {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.jsonBytes)))
    }
}

extension HTTPResponse.Status {
    static let paymentRequired = HTTPResponse.Status(code: 402, reasonPhrase: "Payment Required")
}

extension HTTPField.Name {
    /// A header name that is known to be valid; the literal is checked by the tests that send it.
    static func known(_ name: StaticString) -> HTTPField.Name {
        guard let parsed = HTTPField.Name("\(name)") else { preconditionFailure("\(name) is no header name") }
        return parsed
    }

    static let requestID = known("x-request-id")
    static let apiKey = known("x-api-key")
    static let shouldRetry = known("x-should-retry")
    static let lastEventID = known("last-event-id")
    static let contentSecurityPolicy = known("content-security-policy")
    static let contentTypeOptions = known("x-content-type-options")
    static let referrerPolicy = known("referrer-policy")
    static let accelBuffering = known("x-accel-buffering")
    static let runID = known("x-run-id")
    /// Where a list without an envelope says how it goes on.
    static let nextCursor = known("x-next-cursor")
}
