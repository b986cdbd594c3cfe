internal import JSON

/// The bodies of the frames to a sandbox.
enum ReplyFrame {
    static func run(code: String, inputs: JSONObject, tools: [String]) -> [UInt8] {
        var writer = JSONWriter(reserving: code.utf8.count + 256)
        writer.beginObject()
        writer.member("type", "run")
        writer.member("code", code)
        writer.member("inputs", .object(inputs))
        writer.key("tools")
        writer.beginArray()
        for tool in tools { writer.value(tool) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    static func reply(_ id: Int64, _ reply: SandboxReply) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        switch reply {
        case .value(let value):
            writer.member("type", "return")
            writer.member("id", id)
            writer.member("value", value)
        case .error(let code, let message, let rule, let isDenied, let retryAfter):
            writer.member("type", "error")
            writer.member("id", id)
            writer.member("code", code)
            writer.member("message", message)
            writer.key("denied")
            writer.value(isDenied)
            if let rule { writer.member("rule", rule) }
            if let retryAfter { writer.member("retry_after", retryAfter) }
        }
        writer.endObject()
        return writer.bytes
    }

    static func pending(_ id: Int64, approvalID: String, expires: Int64) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type", "pending")
        writer.member("id", id)
        writer.member("approval_id", approvalID)
        writer.member("expires", expires)
        writer.endObject()
        return writer.bytes
    }

    static func cancel(_ id: Int64) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type", "cancel")
        writer.member("id", id)
        writer.endObject()
        return writer.bytes
    }
}
