internal import Foundation
internal import JSON
internal import Supervisor
internal import Yams

/// `tools.yaml`, read and checked: the catalog of the server's own tools.
///
/// YAML is only its writing: it becomes a JSON value, of which ``ToolCatalog`` checks every member. Secrets are named as `${NAME}` in
/// `headers` and `env`, and stand in the environment.
struct ToolsFile: Sendable {
    /// A catalog larger than this is somebody's mistake; aliases that multiply are stopped by the count of nodes.
    private static let fileBytesMax = 1 << 20
    private static let nodesMax = 20_000
    private static let depthMax = 64
    /// Where a value may name a variable of the environment.
    private static let secretsMayBeIn: Set<String> = ["headers", "env"]

    let catalog: ToolCatalog

    var runsCode: Bool { catalog.tools.contains { $0.adapter == .builtin(BuiltinTool.runCode.rawValue) } }

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
        let root: Node?
        do { root = try Yams.compose(yaml: yaml) } catch {
            throw Self.failure(path, "is not YAML: \(SettingsTree.oneLine("\(error)"))")
        }
        guard let root else { throw Self.failure(path, "is empty; it needs a list of tools") }
        var reading = Reading(path: path, environment: environment, nodesLeft: Self.nodesMax)
        let value = try reading.value(root, at: "", depth: 0, mayName: false)
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

    private struct Reading {
        let path: String
        let environment: [String: String]?
        var nodesLeft: Int

        mutating func value(_ node: Node, at place: String, depth: Int, mayName: Bool) throws(ConfigurationError) -> JSONValue {
            nodesLeft -= 1
            guard nodesLeft >= 0, depth <= ToolsFile.depthMax else {
                throw failure("has more than \(ToolsFile.nodesMax) values or is deeper than \(ToolsFile.depthMax)", node)
            }
            if let mapping = node.mapping {
                var object = JSONObject()
                for (key, element) in mapping {
                    guard let name = key.string else { throw failure("has a key that is no text", key) }
                    guard object[name] == nil else { throw failure("has \(place)\(name) twice", key) }
                    let names = mayName || ToolsFile.secretsMayBeIn.contains(name)
                    object[name] = try value(element, at: "\(place)\(name).", depth: depth + 1, mayName: names)
                }
                return .object(object)
            }
            if let sequence = node.sequence {
                var values: [JSONValue] = []
                for element in sequence { values.append(try value(element, at: place, depth: depth + 1, mayName: mayName)) }
                return .array(values)
            }
            guard let scalar = node.scalar else { throw failure("has an alias that stands for nothing", node) }
            guard scalar.style == .plain || scalar.style == .any else {
                return .string(mayName ? try expand(scalar.string, node) : scalar.string)
            }
            if node.null != nil { return .null }
            if let flag = node.bool { return .bool(flag) }
            if let number = Int64(scalar.string) { return .integer(number) }
            if Double(scalar.string) != nil { return .number(scalar.string) }
            return .string(mayName ? try expand(scalar.string, node) : scalar.string)
        }

        private func expand(_ text: String, _ node: Node) throws(ConfigurationError) -> String {
            var expanded = ""
            var rest = text[...]
            while let start = rest.range(of: "${") {
                expanded += rest[..<start.lowerBound]
                guard let end = rest.range(of: "}", range: start.upperBound..<rest.endIndex) else {
                    throw failure("has ${ without }", node)
                }
                let name = String(rest[start.upperBound..<end.lowerBound])
                guard let secret = environment.map({ $0[name] }) ?? "-" else {
                    throw failure("needs the environment variable \(name), which is not set", node)
                }
                expanded += secret
                rest = rest[end.upperBound...]
            }
            return expanded + rest
        }

        private func failure(_ rule: String, _ node: Node) -> ConfigurationError {
            ToolsFile.failure(node.mark.map { "\(path), line \($0.line)" } ?? path, rule)
        }
    }
}
