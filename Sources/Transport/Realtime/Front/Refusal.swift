internal import NIOHTTP1

/// Why a request or a connection is turned away; the label of `kdcube_http_refused_total`.
enum RefusalReason: String, CaseIterable {
    case connections
    case badRequest = "bad_request"
    case headerLimit = "header_limit"
    case bodyLimit = "body_limit"
    case bodyBudget = "body_budget"
    case headerDeadline = "header_deadline"
    case bodyRate = "body_rate"
    case writeProgress = "write_progress"
    case pipeline
    /// HTTP/2: resets, control frames or mistakes beyond what a client in good faith sends.
    case flood
    case responseLength = "response_length"
}

/// A request that the front answers by itself, with an error; the connection does not survive it.
struct Refusal: Error, Equatable {
    var status: HTTPResponseStatus
    var reason: RefusalReason
    /// For a person: what was wrong, without what the client sent.
    var message: String
    /// Engine.IO clients expect a bare status (E22).
    var hasEmptyBody = false

    static func badRequest(_ message: String) -> Refusal {
        Refusal(status: .badRequest, reason: .badRequest, message: message)
    }

    static func bodyTooLarge(emptyBody: Bool = false) -> Refusal {
        Refusal(status: .payloadTooLarge, reason: .bodyLimit, message: "The request body is too large.", hasEmptyBody: emptyBody)
    }

    static let noRoomForBody = Refusal(
        status: .serviceUnavailable, reason: .bodyBudget, message: "The server has no room for the request body.")

    /// What a decoder failure means to the client.
    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow:
            self.init(status: .requestHeaderFieldsTooLarge, reason: .headerLimit, message: "The request header is too large.")
        case .invalidVersion:
            self.init(status: .httpVersionNotSupported, reason: .badRequest, message: "Use HTTP/1.1.")
        default:
            self.init(status: .badRequest, reason: .badRequest, message: "The request is not valid HTTP.")
        }
    }

    init(status: HTTPResponseStatus, reason: RefusalReason, message: String, hasEmptyBody: Bool = false) {
        self.status = status
        self.reason = reason
        self.message = message
        self.hasEmptyBody = hasEmptyBody
    }
}
