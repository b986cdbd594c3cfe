internal import JSON
internal import Supervisor

/// The JSON-RPC 2.0 texts that the client sends, and what those of the server say of a tool.
enum MCPMessage {
    static func request(id: Int64, method: String, parameters: JSONObject) -> [UInt8] {
        JSONValue.object(
            JSONObject([
                ("jsonrpc", "2.0"), ("id", .integer(id)), ("method", .string(method)), ("params", .object(parameters)),
            ])
        ).jsonBytes
    }

    static func notification(method: String, parameters: JSONObject?) -> [UInt8] {
        var message = JSONObject([("jsonrpc", "2.0"), ("method", .string(method))])
        if let parameters { message["params"] = .object(parameters) }
        return JSONValue.object(message).jsonBytes
    }

    /// To a request of the server: a ping is answered, nothing else is offered.
    static func answer(to id: JSONValue, method: String) -> [UInt8] {
        var message = JSONObject([("jsonrpc", "2.0"), ("id", id)])
        if method == "ping" {
            message["result"] = .object(JSONObject())
        } else {
            message["error"] = ["code": -32_601, "message": "this client has no such method"]
        }
        return JSONValue.object(message).jsonBytes
    }

    /// What an `error` member says. Of the codes that JSON-RPC reserves, three say that nothing was done.
    static func failure(_ error: JSONValue) -> ToolFailure {
        let code = error["code"]?.integerValue ?? 0
        let text = shown(error["message"]?.stringValue ?? "no message")
        return ToolFailure(
            code: "mcp_error", message: "the MCP server answered with error \(code): \(text)",
            hadNoEffect: [-32_700, -32_600, -32_601].contains(code), value: ["code": .integer(code)])
    }

    /// What a tool gave: its structured content, else its texts, joined by line feeds; of other content its type alone.
    ///
    /// - Throws: ``ToolFailure`` when the tool says that it failed, and when it gives more than `bytesMax` of JSON.
    static func value(of result: JSONObject, bytesMax: Int) throws(ToolFailure) -> JSONValue {
        let value = result["structuredContent"].flatMap { $0.objectValue == nil ? nil : $0 } ?? content(result)
        let isTooLarge = value.jsonBytes.count > bytesMax
        if result["isError"]?.boolValue == true {
            let text = shown(texts(result).joined(separator: " "))
            throw ToolFailure(
                code: "tool_error", message: text.isEmpty ? "the tool failed and said no more" : text, value: isTooLarge ? nil : value)
        }
        guard !isTooLarge else { throw ToolFailure(.tooLarge) }
        return value
    }

    private static func texts(_ result: JSONObject) -> [String] {
        (result["content"]?.arrayValue ?? []).compactMap { part in
            part["type"]?.stringValue == "text" ? part["text"]?.stringValue : nil
        }
    }

    private static func content(_ result: JSONObject) -> JSONValue {
        let parts = result["content"]?.arrayValue ?? []
        let texts = texts(result)
        let others = parts.filter { $0["type"]?.stringValue != "text" }
        let text = JSONValue.string(texts.joined(separator: "\n"))
        guard !others.isEmpty else { return parts.isEmpty ? .null : text }
        let listed = others.map {
            JSONValue.object(JSONObject([("type", .string(shown($0["type"]?.stringValue ?? "unknown", bytesMax: 64)))]))
        }
        return .array((texts.isEmpty ? [] : [.object(JSONObject([("type", "text"), ("text", text)]))]) + listed)
    }
}
