public import JSON

/// Code to run in a sandbox of its own.
public struct SandboxJob: Sendable {
    /// Python source.
    public let code: String
    /// What the code finds as its inputs.
    public let inputs: JSONObject
    /// The names of the tools that the code may call; the handler decides about each call all the same.
    public let tools: [String]

    public init(code: String, inputs: JSONObject = JSONObject(), tools: [String] = []) {
        self.code = code
        self.inputs = inputs
        self.tools = tools
    }
}

public enum SandboxStream: String, Sendable, Hashable, CaseIterable {
    case stdout
    case stderr
}

/// What a job asks of whoever started it.
///
/// The functions that are not asynchronous are called one after another, in the order of what the code did, on the job's own
/// task: they must not block.
public protocol SandboxJobHandler: Sendable {
    /// A call of a tool. Up to sixteen at a time, each in a task that is cancelled when the job ends: the handler must return
    /// soon then, because the job's end waits for it.
    func call(_ call: SandboxCall) async -> SandboxReply
    /// A call that never became one (arguments that are not exact JSON, too many at a time); the code already has its answer.
    func refused(_ call: RefusedCall)
    /// What the code wrote, while it runs: valid UTF-8 whatever the bytes were, never cut within a character.
    func output(_ stream: SandboxStream, _ text: String)
    /// Progress that the code tells its user.
    func emitted(_ stream: String, _ data: JSONValue)
}
