internal import JSON
internal import NIOHTTP1
internal import Supervisor

/// What an HTTP tool's answer means.
enum HTTPAnswer {
    /// JSON becomes its value, text a string, nothing null; of other types the model is told the type and the size.
    ///
    /// - Throws: ``ToolFailure`` for JSON that is none.
    static func value(contentType: String?, body: [UInt8]) throws(ToolFailure) -> JSONValue {
        guard !body.isEmpty else { return .null }
        let type = mediaType(contentType)
        if isJSON(type) {
            guard let value = try? JSONValue(parsing: body, limits: JSONLimits(depth: 64, members: 10_000)) else {
                throw ToolFailure(code: "upstream_malformed", message: "the answer says that it is JSON and is not")
            }
            return value
        }
        if type.isEmpty || type.hasPrefix("text/") || type.hasSuffix("+xml") || textTypes.contains(type) {
            return .string(String(decoding: body, as: UTF8.self))
        }
        return ["content_type": .string(shown(type, bytesMax: 100)), "bytes": .integer(Int64(body.count))]
    }

    /// The failure that a status of 400 and above, or an unfollowed redirect, is. Its value has the status and the body's beginning.
    static func failure(status: Int, contentType: String?, body: [UInt8], isCut: Bool) -> ToolFailure {
        var value = JSONObject([("status", .integer(Int64(status)))])
        if !body.isEmpty {
            if !isCut, isJSON(mediaType(contentType)), let parsed = try? JSONValue(parsing: body) {
                value["body"] = parsed
            } else {
                value["body"] = .string(shown(String(decoding: body, as: UTF8.self), bytesMax: AdapterLimits.errorBodyBytesMax))
            }
        }
        return ToolFailure(code: "upstream_status", message: "the tool's server answered with status \(status)", value: .object(value))
    }

    private static let textTypes: Set<String> = [
        "application/xml", "application/javascript", "application/yaml", "application/x-www-form-urlencoded", "application/x-ndjson",
    ]

    private static func mediaType(_ header: String?) -> String {
        let type = (header ?? "").prefix { $0 != ";" }.lowercased()
        return String(type.filter { !$0.isWhitespace })
    }

    private static func isJSON(_ type: String) -> Bool { type == "application/json" || type == "text/json" || type.hasSuffix("+json") }
}
