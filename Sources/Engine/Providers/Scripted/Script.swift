internal import Engine
internal import JSON

/// What the scripted model is told to do: the control lines of contract §4, read from the last user message.
///
/// A line `@then` ends a round: what follows it is done after the tools have answered, and so on. A line that is not a well-formed
/// control is plain text and ignored.
struct Script: Sendable, Hashable {
    struct ToolCall: Sendable, Hashable {
        let name: String
        /// JSON text.
        let arguments: String
    }

    /// Length of the answer; nil for the text's own length.
    var tokens: Int?
    /// Tokens a second; 0 is as fast as it goes.
    var rate = Self.defaultRate
    var toolCalls: [ToolCall] = []
    /// Fail after so many tokens.
    var failAfter: Int?
    var givesUsage = true

    /// Slow enough that people see it stream, fast enough not to bore them.
    static let defaultRate = 40

    init() {}

    /// Reads the controls of the first round of `message`.
    init(_ message: String) { self = Self.rounds(message)[0] }

    /// Reads the controls of all rounds of `message`; there is at least one. A later round is as fast as the one before it, unless
    /// it says otherwise.
    static func rounds(_ message: String) -> [Script] {
        var lines = message.split(separator: "\n", omittingEmptySubsequences: false)[...]
        var rounds: [Script] = []
        repeat {
            var round = Script()
            round.rate = rounds.last?.rate ?? defaultRate
            round.read(&lines)
            rounds.append(round)
        } while !lines.isEmpty && rounds.count < ScriptLimits.roundsMax
        return rounds
    }

    /// What is done when the tools have answered and the script has no round for it. A script of one round was for one answer.
    static func afterLast(of rounds: [Script]) -> Script {
        var script = Script()
        if rounds.count > 1, let last = rounds.last { script.rate = last.rate }
        return script
    }

    /// Reads the controls of one round, and its `@then` if it has one.
    private mutating func read(_ lines: inout ArraySlice<Substring>) {
        while let line = lines.popFirst() {
            let words = line.split(whereSeparator: \.isWhitespace)
            switch words.first {
            case "@tokens":
                if let count = Self.number(words, 1, max: ScriptLimits.tokensMax) { tokens = count }
            case "@rate":
                if let value = Self.number(words, 1, max: ScriptLimits.rateMax) { rate = value }
            case "@fail":
                if words.count == 3, words[1] == "after",
                    let count = Self.number(words, 2, max: ScriptLimits.tokensMax)
                {
                    failAfter = count
                }
            case "@nousage": givesUsage = false
            case "@then" where words.count == 1:
                // A round that follows may be empty.
                if lines.isEmpty { lines = [""] }
                return
            case "@tool": addTool(line)
            case "@code": addCode(&lines)
            default: break
            }
        }
    }

    private static func number(_ words: [Substring], _ index: Int, max: Int) -> Int? {
        guard words.indices.contains(index), let number = Int(words[index]), (0...max).contains(number) else { return nil }
        return number
    }

    /// `@tool NAME {json}`; without JSON the arguments are empty.
    private mutating func addTool(_ line: Substring) {
        let parts = line.split(maxSplits: 2, whereSeparator: \.isWhitespace)
        guard parts.count >= 2 else { return }
        let arguments = parts.count == 3 ? String(parts[2]) : "{}"
        guard case .object? = try? JSONValue(parsing: arguments) else { return }
        add(ToolCall(name: String(parts[1]), arguments: arguments))
    }

    /// `@code` and the fenced block that follows it, which is taken out of `lines`.
    private mutating func addCode(_ lines: inout ArraySlice<Substring>) {
        guard let open = lines.firstIndex(where: { !$0.allSatisfy(\.isWhitespace) }), lines[open].hasPrefix("```"),
            let close = lines[(open + 1)...].firstIndex(where: { $0.hasPrefix("```") })
        else { return }
        let code = lines[(open + 1)..<close].joined(separator: "\n")
        lines = lines[(close + 1)...]
        let arguments = JSONValue.object(JSONObject([("code", .string(code))]))
        add(ToolCall(name: "run_code", arguments: arguments.jsonText))
    }

    private mutating func add(_ call: ToolCall) {
        if toolCalls.count < ScriptLimits.toolCallsMax { toolCalls.append(call) }
    }
}
