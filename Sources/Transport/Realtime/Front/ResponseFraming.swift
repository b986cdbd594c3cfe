internal import HTTPTypes
internal import Hummingbird
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1

/// How the end of a response is told to the client (RFC 9112 §6), and the head that says so. Pure.
struct ResponseFraming {
    enum Body: Equatable {
        /// No body may follow: HEAD, 204, 304.
        case none
        case length(Int)
        case chunked
        /// HTTP/1.0: the end is the end of the connection.
        case untilClose
    }

    let head: HTTPResponseHead
    let body: Body

    init(_ response: Response, _ plan: RequestPlan) {
        var fields = response.headers
        fields[.transferEncoding] = nil
        fields[.connection] = nil
        let code = response.status.code
        let declared = fields[.contentLength].flatMap { Int($0) } ?? response.body.contentLength
        if code == 204 || (100..<200).contains(code) {
            fields[.contentLength] = nil
            body = .none
        } else if code == 304 || plan.isHead {
            body = .none
        } else if let declared, declared >= 0 {
            fields[.contentLength] = String(declared)
            body = .length(declared)
        } else {
            fields[.contentLength] = nil
            if !plan.isHTTP10 { fields[.transferEncoding] = "chunked" }
            body = plan.isHTTP10 ? .untilClose : .chunked
        }
        head = HTTPResponseHead(HTTPResponse(status: response.status, headerFields: fields))
    }

    var streams: Bool { body == .chunked || body == .untilClose }

    /// Known to be short enough to be collected and sent at once.
    var isWhole: Bool {
        switch body {
        case .none: true
        case .length(let length): length <= FrontLimits.wholeResponseBytesMax
        case .chunked, .untilClose: false
        }
    }
}
