internal import Digest
internal import Foundation
internal import JSON
internal import Supervisor

/// `tools.yaml`, read and checked: the catalog of the server's own tools.
///
/// YAML is only its writing (``StrictYAML``): it becomes a JSON value, of which ``ToolCatalog`` checks every member. Secrets are named as `${NAME}` in
/// `headers` and `env`, and stand in the environment.
struct ToolsFile: Sendable {
    /// A catalog larger than this is somebody's mistake; aliases that multiply are stopped by the count of nodes.
    static let fileBytesMax = 1 << 20
    static let nodesMax = 20_000
    /// Where a value may name a variable of the environment: nowhere that a model or a person reads.
    private static let secretsMayBeIn: Set<[String]> = [
        ["tools", "http", "headers"], ["tools", "mcp", "headers"], ["tools", "mcp", "env"],
    ]

    let catalog: ToolCatalog
    /// As it was written.
    let text: String

    /// SHA-256 of the text, in hexadecimal: what tells one file from another, its comments included.
    var version: String { Digest.hex(Digest.sha256(Array(text.utf8))) }

    /// Reads a file: not on an event loop.
    ///
    /// - Parameter environment: nil where no tool is called: then secrets are left out, and need not be there.
    /// - Throws: ``ConfigurationError`` that names the tool and the rule.
    init(_ path: String, environment: [String: String]? = ProcessInfo.processInfo.environment) throws(ConfigurationError) {
        guard let data = FileManager.default.contents(atPath: path) else { throw Self.failure(path, "cannot be read") }
        guard data.count <= Self.fileBytesMax, let text = String(data: data, encoding: .utf8) else {
            throw Self.failure(path, "must be UTF-8 text of at most 1 MiB")
        }
        try self.init(yaml: text, path: path, environment: environment)
    }

    init(yaml: String, path: String, environment: [String: String]?) throws(ConfigurationError) {
        text = yaml
        let value: JSONValue?
        do throws(StrictYAML.Failure) {
            value = try StrictYAML(bytesMax: Self.fileBytesMax, nodesMax: Self.nodesMax).value(of: yaml) {
                (text, keys) throws(StrictYAML.Refusal) in
                Self.secretsMayBeIn.contains(Array(keys.dropLast())) ? try Self.expand(text, environment) : text
            }
        } catch {
            throw Self.failure(error.line.map { "\(path), line \($0)" } ?? path, error.message)
        }
        guard let value else { throw Self.failure(path, "is empty; it needs a list of tools") }
        do { catalog = try ToolCatalog(value) } catch { throw Self.failure(path, "\(error)") }
        for tool in catalog.tools {
            guard case .builtin(let name) = tool.adapter, BuiltinTool(rawValue: name) == nil else { continue }
            let known = BuiltinTool.allCases.map(\.rawValue).joined(separator: ", ")
            throw Self.failure(path, "\(tool.name): there is no built-in tool \(name); there are \(known)")
        }
    }

    private static func failure(_ path: String, _ rule: String) -> ConfigurationError {
        ConfigurationError(setting: "tools.file", origin: path, rule: rule)
    }

    /// - Parameter environment: nil where secrets are left out.
    private static func expand(_ text: String, _ environment: [String: String]?) throws(StrictYAML.Refusal) -> String {
        var expanded = ""
        var rest = text[...]
        while let start = rest.range(of: "${") {
            expanded += rest[..<start.lowerBound]
            guard let end = rest.range(of: "}", range: start.upperBound..<rest.endIndex) else {
                throw StrictYAML.Refusal(rule: "has ${ without }")
            }
            let name = String(rest[start.upperBound..<end.lowerBound])
            guard let secret = environment.map({ $0[name] }) ?? "-" else {
                throw StrictYAML.Refusal(rule: "needs the environment variable \(name), which is not set")
            }
            expanded += secret
            rest = rest[end.upperBound...]
        }
        return expanded + rest
    }
}

extension ToolCatalog {
    var runsCode: Bool { tools.contains { $0.adapter == .builtin(BuiltinTool.runCode.rawValue) } }
}
