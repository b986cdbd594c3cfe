internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// The error document of the contract: `{"error":{"message","type","code","param"}}`. It never tells why inside.
enum ErrorBody {
    static func json(status: Int, message: String) -> [UInt8] {
        var writer = JSONWriter(reserving: 128)
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.key("message")
        writer.value(message)
        writer.key("type")
        writer.value(type(status))
        writer.key("code")
        writer.value(code(status))
        writer.key("param")
        writer.null()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    static func response(status: HTTPResponse.Status, headers: HTTPFields = [:], message: String) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.contentLength] = nil
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: json(status: status.code, message: message))))
    }

    private static func type(_ status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }

    private static func code(_ status: Int) -> String {
        switch status {
        case 401: "unauthorized"
        case 403: "forbidden"
        case 404: "not_found"
        case 405: "method_not_allowed"
        case 413: "body_too_large"
        case 429: "rate_limit_exceeded"
        case 431: "header_too_large"
        case 503: "unavailable"
        case 500...: "internal_error"
        default: "invalid_request_error"
        }
    }
}
