internal import Engine
internal import JSON

/// Counts what a prompt costs, whatever dialect it is sent in.
enum PromptTokens {
    /// The bound is ``PromptBound``'s, the estimate ``TokenEstimator``'s.
    static func count(_ request: ModelRequest, overhead: Int) -> PromptCount {
        let bound = PromptBound(request, overhead: overhead).tokens
        var estimate = 3
        for message in request.messages {
            estimate += 4
            add(message.content, &estimate)
            for member in message.extra.members { add(member.value, &estimate) }
        }
        if let tools = request.tools { add(tools, &estimate) }
        if let format = request.parameters["response_format"] { add(format, &estimate) }
        return .atMost(bound, estimate: min(estimate, bound))
    }

    private static func add(_ value: JSONValue, _ estimate: inout Int) {
        switch value {
        case .null: break
        case .string(let text): estimate += TokenEstimator.count(text)
        case .array(let parts) where parts.contains(where: { $0["type"] != nil }):
            for part in parts {
                if let text = part["text"]?.stringValue, part["type"]?.stringValue == "text" {
                    add(.string(text), &estimate)
                } else if part["type"]?.stringValue == "image_url" {
                    estimate += 1_000
                } else {
                    add(.string(part.jsonText), &estimate)
                }
            }
        default: add(.string(value.jsonText), &estimate)
        }
    }
}
