internal import Engine
internal import JSON

/// The names of one request's tools as the upstream knows them.
///
/// OpenAI takes `[a-zA-Z0-9_-]{1,64}` for a function's name and answers 400 to others, while tools here are named with dots
/// (`payments.refund`). A dot is sent as a hyphen, and what the model calls is given its own name again; where two names would become
/// one, the later ends in a number. Names that were never defined pass as they are.
///
/// Source: OpenAI API reference, *Create chat completion*, `tools[].function.name`.
struct FunctionNames: Sendable {
    private var upstream: [String: String] = [:]
    private var ours: [String: String] = [:]

    init() {}

    init(_ tools: JSONValue?) {
        let names = (tools?.arrayValue ?? []).compactMap { $0["function"]?["name"]?.stringValue }
        var taken = Set(names.filter { !$0.contains(".") })
        for name in names where name.contains(".") && upstream[name] == nil {
            let plain = String(name.map { $0 == "." ? "-" : $0 })
            var candidate = plain
            var number = 2
            while !taken.insert(candidate).inserted {
                let suffix = "-\(number)"
                // Not longer than the name that was counted for the prompt's bound.
                candidate = plain.prefix(max(0, plain.count - suffix.count)) + suffix
                number += 1
            }
            upstream[name] = candidate
            ours[candidate] = name
        }
    }

    var isEmpty: Bool { upstream.isEmpty }

    func own(_ name: String) -> String { ours[name] ?? name }

    /// One entry of `tools`, of `tool_calls` or a `tool_choice`: whatever has `function.name`.
    func upstream(_ value: JSONValue) -> JSONValue {
        guard var members = value.objectValue, var function = members["function"]?.objectValue,
            let name = function["name"]?.stringValue, let other = upstream[name]
        else { return value }
        function["name"] = .string(other)
        members["function"] = .object(function)
        return .object(members)
    }

    /// A member of a message beside its role and content.
    func upstream(_ key: String, _ value: JSONValue) -> JSONValue {
        guard !isEmpty else { return value }
        switch key {
        case "tool_calls": return .array((value.arrayValue ?? []).map(upstream))
        case "name": return value.stringValue.flatMap { upstream[$0] }.map { .string($0) } ?? value
        default: return value
        }
    }
}
