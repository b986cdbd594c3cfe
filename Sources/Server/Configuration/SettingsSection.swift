internal import Foundation
internal import Yams

/// One mapping of the settings tree, read key by key.
///
/// Scalars may be overridden by a flag or by the environment (`server.port` is `KDCUBE_SERVER_PORT`); elements of lists
/// may not. `${NAME}` in a YAML value stands for an environment variable, which must be set.
final class SettingsSection {
    let path: String
    private let tree: SettingsTree
    private let mapping: Node.Mapping?
    private var asked: Set<String> = []

    struct Value {
        let text: String
        let origin: String?
        let setting: String

        func failure(_ rule: String) -> ConfigurationError { ConfigurationError(setting: setting, origin: origin, rule: rule) }
    }

    init(tree: SettingsTree, path: String, node: Node?) throws(ConfigurationError) {
        self.tree = tree
        self.path = path
        if let node, !node.isEmptyScalar {
            guard let mapping = node.mapping else {
                throw ConfigurationError(setting: path, origin: node.origin, rule: "must be a mapping of keys to values")
            }
            self.mapping = mapping
        } else {
            mapping = nil
        }
    }

    func subsection(_ key: String) throws(ConfigurationError) -> SettingsSection {
        asked.insert(key)
        return try SettingsSection(tree: tree, path: "\(path).\(key)", node: mapping?[key])
    }

    func value(_ key: String) throws(ConfigurationError) -> Value? {
        asked.insert(key)
        let setting = "\(path).\(key)"
        if let flag = tree.flags[setting] { return Value(text: flag, origin: "flag", setting: setting) }
        let variable = Self.variable(setting)
        if let text = tree.environment[variable] { return Value(text: text, origin: variable, setting: setting) }
        guard let node = mapping?[key] else { return nil }
        guard let scalar = node.scalar else {
            throw ConfigurationError(setting: setting, origin: node.origin, rule: "must be a single value")
        }
        let value = Value(text: scalar.string, origin: node.origin, setting: setting)
        return Value(text: try expand(value), origin: value.origin, setting: setting)
    }

    /// A list of strings: a YAML list, or comma-separated text from a flag or the environment.
    func strings(_ key: String) throws(ConfigurationError) -> [Value] {
        let setting = "\(path).\(key)"
        if let node = mapping?[key], let sequence = node.sequence, tree.flags[setting] == nil,
            tree.environment[Self.variable(setting)] == nil
        {
            asked.insert(key)
            var values: [Value] = []
            for element in sequence {
                guard let text = element.scalar?.string else {
                    throw ConfigurationError(setting: setting, origin: element.origin, rule: "must be a list of single values")
                }
                values.append(Value(text: text, origin: element.origin, setting: setting))
            }
            return values
        }
        guard let value = try value(key), !value.text.isEmpty else { return [] }
        return value.text.split(separator: ",").map {
            Value(text: $0.trimmingSpaces, origin: value.origin, setting: setting)
        }
    }

    /// A mapping of names that are the operator's own to single values: from YAML, or `name=value,…` from a flag or the environment.
    func entries(_ key: String) throws(ConfigurationError) -> [(name: String, value: Value)] {
        let setting = "\(path).\(key)"
        guard tree.flags[setting] == nil, tree.environment[Self.variable(setting)] == nil else {
            return try strings(key).map { value throws(ConfigurationError) in
                guard let equals = value.text.lastIndex(of: "=") else { throw value.failure("must be name=value,…") }
                let text = String(value.text[value.text.index(after: equals)...])
                return (String(value.text[..<equals]), Value(text: text, origin: value.origin, setting: setting))
            }
        }
        let section = try subsection(key)
        var found: [(String, Value)] = []
        for (name, _) in section.mapping ?? [:] {
            guard let name = name.string, let value = try section.value(name) else { continue }
            found.append((name, value))
        }
        return found
    }

    func refuseUnknownKeys() throws(ConfigurationError) {
        for (key, _) in mapping ?? [:] {
            guard let name = key.string, asked.contains(name) else {
                throw ConfigurationError(
                    setting: "\(path).\(key.string ?? "?")", origin: key.origin,
                    rule: "is unknown; this section has \(asked.sorted().joined(separator: ", "))")
            }
        }
    }

    static func variable(_ setting: String) -> String {
        "KDCUBE_" + setting.uppercased().map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
    }

    private func expand(_ value: Value) throws(ConfigurationError) -> String {
        var text = value.text
        while let start = text.range(of: "${") {
            guard let end = text.range(of: "}", range: start.upperBound..<text.endIndex) else {
                throw value.failure("has ${ without }")
            }
            let name = String(text[start.upperBound..<end.lowerBound])
            guard let replacement = tree.environment[name] else {
                throw value.failure("needs the environment variable \(name), which is not set")
            }
            guard !replacement.contains("${") else { throw value.failure("expands to another ${…}") }
            text.replaceSubrange(start.lowerBound..<end.upperBound, with: replacement)
        }
        return text
    }
}
