internal import Engine
internal import JSON

/// A whole prompt as a dialect of another API brings it, checked: what all of them come down to.
struct WholePrompt: Sendable {
    var model: String
    var messages: [ModelMessage]
    var outputTokensMax: Int?
    /// In the form of OpenAI's `tools` of a chat completion; the client's to run.
    var tools: JSONValue?
    /// Handed to the upstream as they are.
    var parameters = JSONObject()
    var onDisconnect: DisconnectPolicy?
    var mayLowerOutput = false
    /// Which of the server's own tools the model may call; none unless the client asks for them.
    var serverTools: RunRequest.ServerTools?
    var onDeny: RunRequest.DenyPolicy?
    var hints = TenantHints()
}
