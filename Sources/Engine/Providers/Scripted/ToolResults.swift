internal import Engine
internal import JSON

/// What tools have answered since the last user message, as the scripted model sees it. Pure.
struct ToolResults: Sendable {
    /// How many times tools have answered, which is the round of the script.
    private(set) var round = 0
    /// How many calls were answered.
    private(set) var calls = 0
    /// The newest results.
    private var newest: [ModelMessage] = []
    private var names: [String: String] = [:]
    private var hasText = false

    /// - Parameter messages: those after the last user message.
    init(_ messages: ArraySlice<ModelMessage>) {
        guard messages.last?.role == "tool" else { return }
        var previous = ""
        for message in messages {
            switch message.role {
            case "tool":
                if previous != "tool" {
                    round += 1
                    newest = []
                }
                newest.append(message)
                calls += 1
            case "assistant":
                hasText = hasText || !message.text.isEmpty
                for call in message.extra["tool_calls"]?.arrayValue ?? [] {
                    if let id = call["id"]?.stringValue { names[id] = call["function"]?["name"]?.stringValue }
                }
            default: break
            }
            previous = message.role
        }
    }

    /// Whether the model is asked for something other than to go on after tools.
    var isEmpty: Bool { newest.isEmpty }

    /// The results in words: one by itself, several with their tools' names. After words that were said before the call it is a
    /// paragraph of its own.
    var text: String {
        let words =
            if newest.count == 1 {
                "The tool answered: " + newest[0].text
            } else {
                "The tools answered:" + newest.map { "\n\(name(of: $0)): \($0.text)" }.joined()
            }
        return hasText ? "\n\n" + words : words
    }

    private func name(of result: ModelMessage) -> String {
        let id = result.extra["tool_call_id"]?.stringValue ?? ""
        return names[id] ?? (id.isEmpty ? "?" : id)
    }
}
