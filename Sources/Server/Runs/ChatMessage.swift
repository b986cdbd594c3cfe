internal import Engine
internal import JSON
internal import Traces

/// The body of `chat_message`, `POST /v1/runs` and `POST /sse/chat`, checked.
///
/// `{text, …}`, or with the text inside as `{message: {text, …}}`, as older KDCube clients send it.
struct ChatMessage: Sendable {
    let text: String
    let system: String?
    let model: String?
    let conversation: ConversationID?
    let turn: TurnID?
    let outputTokensMax: Int?
    let tools: JSONValue?
    let knowledge: [KnowledgePassage]
    let parameters: JSONObject
    let onDisconnect: DisconnectPolicy?
    let mayLowerOutput: Bool
    let serverTools: RunRequest.ServerTools?
    let onDeny: RunRequest.DenyPolicy?
    let hints: TenantHints
    /// Where the message belongs in a trace: for Socket.IO, whose messages have no headers.
    let trace: TraceContext?

    init(_ value: JSONValue) throws(HTTPFailure) {
        let outer = try FieldReader(value)
        let fields: FieldReader
        if let message = outer.value("message"), message.objectValue != nil {
            fields = try FieldReader(message, prefix: "message.")
        } else {
            fields = outer
        }
        /// A field may stand in the message or beside it.
        func either<Value>(_ read: (FieldReader) throws(HTTPFailure) -> Value?) throws(HTTPFailure) -> Value? {
            if let value = try read(fields) { return value }
            return try read(outer)
        }

        guard let text = try fields.string("text", bytesMax: RequestLimits.textBytesMax), !text.isEmpty else {
            throw fields.failure("text", "is needed")
        }
        self.text = text
        system = try either { reader throws(HTTPFailure) in try reader.string("system", bytesMax: RequestLimits.textBytesMax) }
        model = try either { reader throws(HTTPFailure) in try reader.string("model", bytesMax: RequestLimits.modelBytesMax) }
        conversation = try either { reader throws(HTTPFailure) in try Self.name("conversation_id", in: reader, ConversationID.init) }
        turn = try either { reader throws(HTTPFailure) in try Self.name("turn_id", in: reader, TurnID.init) }
        let most = try either { reader throws(HTTPFailure) in try reader.integer("max_tokens", in: 1...RequestLimits.outputTokensMax) }
        outputTokensMax = most.map(Int.init)
        tools = try either { reader throws(HTTPFailure) in try Self.tools(reader) }
        knowledge = try either { reader throws(HTTPFailure) in try Self.knowledge(reader) } ?? []
        var parameters = JSONObject()
        if let temperature = try either({ reader throws(HTTPFailure) in try reader.number("temperature", in: 0...2) }) {
            parameters["temperature"] = Int64(temperature).map { .integer($0) } ?? .number(temperature)
        }
        self.parameters = parameters
        onDisconnect = try either { reader throws(HTTPFailure) in try reader.disconnectPolicy() }
        mayLowerOutput = try either { reader throws(HTTPFailure) in try reader.flag("lower_max_tokens") } ?? false
        serverTools = try either { reader throws(HTTPFailure) in try reader.serverTools() }
        onDeny = try either { reader throws(HTTPFailure) in try reader.denyPolicy() }
        let parent = try either { reader throws(HTTPFailure) in try reader.string("traceparent", bytesMax: 256) }
        let state = try either { reader throws(HTTPFailure) in try reader.string("tracestate", bytesMax: 4_096) }
        trace = parent.flatMap { TraceContext(traceparent: $0, state: state ?? "") }
        hints = try TenantHints(
            tenant: either { reader throws(HTTPFailure) in try reader.string("tenant", bytesMax: 256) },
            project: either { reader throws(HTTPFailure) in try reader.string("project", bytesMax: 256) })
    }

    private static func name<Name>(_ key: String, in fields: FieldReader, _ make: (String) -> Name?) throws(HTTPFailure) -> Name? {
        guard let text = try fields.string(key, bytesMax: 128) else { return nil }
        guard let name = make(text) else { throw fields.failure(key, "must be 1 to 128 characters of A-Z a-z 0-9 _ - . :") }
        return name
    }

    /// Reference material for this message: one text, or a list of `{text, title?}`. Together as long as a message may be.
    private static func knowledge(_ fields: FieldReader) throws(HTTPFailure) -> [KnowledgePassage]? {
        guard let value = fields.value("knowledge") else { return nil }
        if let text = value.stringValue {
            guard text.utf8.count <= RequestLimits.textBytesMax else {
                throw fields.failure("knowledge", "must have at most \(RequestLimits.textBytesMax) bytes")
            }
            return text.isEmpty ? [] : [KnowledgePassage(text: text)]
        }
        guard let list = value.arrayValue, list.count <= RequestLimits.knowledgePassagesMax else {
            throw fields.failure(
                "knowledge", "must be a text or an array of at most \(RequestLimits.knowledgePassagesMax) objects {text, title?}")
        }
        var passages: [KnowledgePassage] = []
        var bytes = 0
        for (index, element) in list.enumerated() {
            let path = "knowledge[\(index)]"
            guard element.objectValue != nil else { throw fields.failure(path, "must be an object {text, title?}") }
            let passage = try FieldReader(element, prefix: "\(fields.prefix)\(path).")
            guard let text = try passage.string("text", bytesMax: RequestLimits.textBytesMax), !text.isEmpty else {
                throw passage.failure("text", "is needed")
            }
            passages.append(
                KnowledgePassage(title: try passage.string("title", bytesMax: RequestLimits.knowledgeTitleBytesMax), text: text))
            bytes += text.utf8.count
        }
        guard bytes <= RequestLimits.textBytesMax else {
            throw fields.failure("knowledge", "must have at most \(RequestLimits.textBytesMax) bytes of text in all")
        }
        return passages
    }

    private static func tools(_ fields: FieldReader) throws(HTTPFailure) -> JSONValue? {
        guard let tools = fields.value("tools") else { return nil }
        guard tools.arrayValue != nil else { throw fields.failure("tools", "must be an array") }
        return tools
    }
}
