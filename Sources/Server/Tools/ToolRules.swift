internal import JSON
internal import Supervisor

/// What of a catalog may be changed over HTTP. The key of an operator is no login on the machine: it starts no program there, reads no
/// variable of the server's environment that it was not given, and reaches no address inside its networks.
///
/// Pure: it compares entries as they are written. What is as it was is not asked about.
struct ToolRules: Sendable {
    let publishing: Configuration.Tools.Publishing
    /// What a new tool may name of the environment.
    let variables: Set<String>

    /// - Parameter before: the tools in force.
    func findings(_ after: ToolText, beside before: ToolText, file: String) -> [PolicyFinding] {
        var findings: [PolicyFinding] = []
        for (index, entry) in after.entries.enumerated() {
            let old = before.entries.first { $0.name == entry.name }?.value
            for problem in problems(entry.value, old, before) {
                let line = after.line(ofTool: index)
                findings.append(
                    PolicyFinding(
                        .error, "tools", file: file, line: line, column: line > 0 ? 1 : 0, rule: String(entry.name.prefix(64)),
                        message: problem))
            }
        }
        return findings
    }

    private func problems(_ tool: JSONObject, _ old: JSONObject?, _ before: ToolText) -> [String] {
        guard Self.adapter(tool) != old.map(Self.adapter) else { return [] }
        var problems: [String] = []
        if publishing != .all { problems += programs(tool, before) + networks(tool, old) }
        for reference in ToolReference.all(of: tool) where !isFine(reference, tool, old) && !Self.isProgram(tool, of: before) {
            if let name = reference.variable {
                problems.append("\(reference.name) names the variable \(name), which tools.variables does not have")
            } else {
                problems.append(
                    "\(String(reference.name.prefix(64))) is published as ${NAME} or as a word and ${NAME}: secrets stand in the environment"
                )
            }
        }
        return problems
    }

    private func programs(_ tool: JSONObject, _ before: ToolText) -> [String] {
        if tool["builtin"]?.stringValue == BuiltinTool.runCode.rawValue {
            return ["a tool that runs code is made in the file itself (or with tools.publish: all)"]
        }
        guard tool["mcp"]?["command"] != nil else { return [] }
        return Self.isProgram(tool, of: before) ? [] : ["a program is named in the file itself (or with tools.publish: all)"]
    }

    /// Another tool of a program that runs already starts nothing new, and tells it nothing new.
    private static func isProgram(_ tool: JSONObject, of before: ToolText) -> Bool {
        guard let command = tool["mcp"]?["command"] else { return false }
        return before.entries.contains { $0.value["mcp"]?["command"] == command && $0.value["mcp"]?["env"] == tool["mcp"]?["env"] }
    }

    private func networks(_ tool: JSONObject, _ old: JSONObject?) -> [String] {
        ["http", "mcp"].flatMap { adapter -> [String] in
            let hosts = tool[adapter]?["private_hosts"]?.arrayValue ?? []
            let known = old?[adapter]?["private_hosts"]?.arrayValue ?? []
            return hosts.allSatisfy(known.contains)
                ? [] : ["a host inside our networks (private_hosts) is named in the file itself (or with tools.publish: all)"]
        }
    }

    private func isFine(_ reference: ToolReference, _ tool: JSONObject, _ old: JSONObject?) -> Bool {
        if reference.isOpen, !reference.value.contains("${") { return true }
        guard let variable = reference.variable else { return false }
        if publishing == .all || variables.contains(variable) { return true }
        // What the tool says already it may go on to say, to whom it says it.
        guard let old, Self.destination(tool) == Self.destination(old) else { return false }
        return ToolReference.all(of: old).contains { $0.name == reference.name && $0.value == reference.value }
    }

    private static func adapter(_ tool: JSONObject) -> [JSONValue?] { [tool["builtin"], tool["http"], tool["mcp"]] }

    /// To whom a tool speaks: what a secret in it is for.
    private static func destination(_ tool: JSONObject) -> [JSONValue?] {
        ["http", "mcp"].flatMap { adapter -> [JSONValue?] in
            let definition = tool[adapter]
            let url = definition?["url"]?.stringValue.flatMap { try? URLTemplate($0) }
            return [
                url.map { .string("\($0.scheme)://\($0.host):\($0.port ?? 0)") }, definition?["allow_hosts"], definition?["private_hosts"],
                definition?["command"],
            ]
        }
    }
}
