internal import JSON
internal import Supervisor

/// What a header or a variable of a tool says, as it is written: a secret stands in the environment and is only named here.
struct ToolReference: Sendable {
    /// Headers and variables that keep no secret.
    private static let open: Set<String> = [
        "accept", "accept-language", "content-type", "user-agent", "cache-control", "path", "home", "lang", "tz", "pythonpath", "node_path",
    ]
    static let mask = "***"

    let name: String
    let value: String

    var isOpen: Bool { Self.open.contains(name.lowercased()) }

    /// The variable of `${NAME}`, or of a scheme before it as in `Bearer ${NAME}`; nil of what says anything in clear.
    var variable: String? {
        let words = value.split(separator: " ", omittingEmptySubsequences: false)
        guard let last = words.last, words.count == 1 || words.count == 2 && Self.isWord(words[0]), last.hasPrefix("${"),
            last.hasSuffix("}")
        else { return nil }
        let name = String(last.dropFirst(2).dropLast())
        return Self.isName(name) ? name : nil
    }

    /// What a person may read of it.
    var shown: String {
        guard variable == nil else { return value }
        return isOpen && !value.contains("${") ? value : Self.mask
    }

    /// All of a tool's entry that may be a secret.
    static func all(of tool: JSONObject) -> [ToolReference] {
        places.flatMap { adapter, member in
            (tool[adapter]?[member]?.objectValue?.members ?? []).map { ToolReference(name: $0.key, value: $0.value.stringValue ?? "") }
        }
    }

    /// The entry without what stands there in clear and may be a secret.
    static func masked(_ tool: JSONObject) -> JSONObject {
        var tool = tool
        for (adapter, member) in places {
            guard var definition = tool[adapter]?.objectValue, let values = definition[member]?.objectValue else { continue }
            definition[member] = .object(
                JSONObject(
                    values.members.map { ($0.key, .string(ToolReference(name: $0.key, value: $0.value.stringValue ?? "").shown)) }))
            tool[adapter] = .object(definition)
        }
        return tool
    }

    /// Whether something stands there in clear that nobody may be shown.
    static func hasSecret(_ tool: JSONObject) -> Bool { all(of: tool).contains { $0.shown == mask } }

    private static let places = [("http", "headers"), ("mcp", "headers"), ("mcp", "env")]

    static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first), name.utf8.count <= 128 else {
            return false
        }
        return name.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_") }
    }

    private static func isWord(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.count <= 32 && text.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || $0 == "-") }
    }
}
