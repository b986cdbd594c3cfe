public import JSON

/// One call of a model, independent of any dialect.
public struct ModelRequest: Sendable, Hashable {
    /// The id of the model as configured; a provider may know it upstream by another name.
    public var model: String
    public var messages: [ModelMessage]
    public var outputTokensMax: Int?
    /// JSON schema of the tools, in the form of OpenAI's `tools`; nil when there are none.
    public var tools: JSONValue?
    /// Every other parameter of the client (`temperature`, `seed`, `tool_choice`, …), passed through as it came.
    public var parameters: JSONObject

    public init(
        model: String, messages: [ModelMessage], outputTokensMax: Int? = nil, tools: JSONValue? = nil,
        parameters: JSONObject = JSONObject()
    ) {
        self.model = model
        self.messages = messages
        self.outputTokensMax = outputTokensMax
        self.tools = tools
        self.parameters = parameters
    }
}

/// One message of a prompt.
public struct ModelMessage: Sendable, Hashable {
    /// `system`, `developer`, `user`, `assistant` or `tool`; others are passed through.
    public var role: String
    /// Text, an array of content parts, or null beside tool calls.
    public var content: JSONValue
    /// Every other member (`name`, `tool_calls`, `tool_call_id`, …), passed through as it came.
    public var extra: JSONObject

    public init(role: String, content: JSONValue, extra: JSONObject = JSONObject()) {
        self.role = role
        self.content = content
        self.extra = extra
    }

    public init(role: String, text: String) {
        self.init(role: role, content: .string(text))
    }

    /// The text of the content: the string itself, or its text parts joined.
    public var text: String {
        switch content {
        case .string(let text): text
        case .array(let parts): parts.compactMap { $0["text"]?.stringValue }.joined(separator: "\n")
        default: ""
        }
    }
}
