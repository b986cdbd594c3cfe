internal import JSON

/// A tool call of the model as it grows.
struct ToolCall: Sendable, Hashable {
    /// Who is to make it.
    enum Maker: Sendable, Hashable {
        /// It is handed through; the run completes with `tool_calls`.
        case client
        case server
        /// Nobody: its name is forbidden.
        case denied(ToolRefusal)
        /// Nobody: neither the client nor the server has a tool of that name.
        case unknown
    }

    /// Counted over all rounds of the run, so that an argument delta names one call.
    let index: Int
    let id: String
    let name: String
    let maker: Maker
    var arguments: String
    /// Whether the step that ends it was appended. One that is handed through has none.
    var isEnded = false

    /// Whether it is no matter of the client's.
    var isOurs: Bool { maker != .client }

    // MARK: Steps

    static let step = "tool_call"

    /// Its name is known.
    var started: RunStep { RunStep(step: Self.step, status: .started, title: name, data: identity()) }

    /// The model is done with it and it is being made: by the server, or by the client that asked for the tool.
    func running(bytesMax: Int) -> RunStep {
        let data = identity(parsedArguments)
        return RunStep(step: Self.step, status: .running, title: name, data: isOurs ? data.fitting(bytesMax) : data)
    }

    /// Something happens while it is made.
    func progress(_ members: JSONObject, bytesMax: Int) -> RunStep {
        var data = JSONObject([("tool", .string(name)), ("call_id", .string(id))])
        data.add(members)
        return RunStep(step: Self.step, status: .running, title: name, data: data.fitting(bytesMax))
    }

    func ended(_ status: RunStep.Status, _ members: JSONObject, bytesMax: Int) -> RunStep {
        var data = identity(parsedArguments)
        data.add(members)
        return RunStep(step: Self.step, status: status, title: name, data: data.fitting(bytesMax))
    }

    /// It was not made, and never will be.
    func skipped(_ reason: String, bytesMax: Int) -> RunStep {
        ended(.skipped, JSONObject([("error", ["code": "skipped", "message": .string(reason)])]), bytesMax: bytesMax)
    }

    private func identity(_ arguments: JSONValue? = nil) -> JSONObject {
        var data = JSONObject([("tool", .string(name)), ("call_id", .string(id))])
        if let arguments { data["args"] = arguments }
        data["index"] = .integer(Int64(index))
        // Who translates a run into another dialect must know whose call this is.
        if isOurs { data["server"] = true }
        return data
    }

    private var parsedArguments: JSONValue { (try? JSONValue(parsing: arguments)) ?? .string(arguments) }

    // MARK: Messages

    /// The call as a member of the assistant message's `tool_calls`.
    var message: JSONValue {
        // Chat templates parse the arguments, and fail on what is no JSON; the tool has read what the model wrote.
        let isReadable = (try? JSONValue(parsing: arguments))?.objectValue != nil
        return [
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(isReadable ? arguments : "{}")],
        ]
    }
}

extension RunStep {
    /// Whether it tells of a tool call that the server makes, which is none of an OpenAI client's business.
    public var isServerCall: Bool { step == ToolCall.step && data["server"] == true }
}

extension JSONObject {
    /// Adds members; one that is there keeps its place and takes the new value.
    mutating func add(_ other: JSONObject) {
        for member in other.members { self[member.key] = member.value }
    }

    /// The same object in at most about `bytesMax`: members are left out, the largest first, and named in `omitted`.
    func fitting(_ bytesMax: Int) -> JSONObject {
        var sizes = members.map { (key: $0.key, bytes: $0.value.jsonBytes.count) }
        var total = sizes.reduce(0) { $0 + $1.bytes + $1.key.utf8.count }
        guard total > bytesMax else { return self }
        var fitting = self
        var omitted: [JSONValue] = []
        sizes.sort { $0.bytes > $1.bytes }
        for size in sizes where total > bytesMax {
            total -= size.bytes
            fitting[size.key] = nil
            omitted.append(.string(size.key))
        }
        fitting["omitted"] = .array(omitted)
        return fitting
    }
}
