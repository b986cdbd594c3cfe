internal import Yams

/// The merged text of all settings before they are understood: flags over environment over YAML.
///
/// A section reads its keys through ``SettingsSection``, which remembers what was asked for, so that a key that nobody
/// knows is an error and not a silent misspelling.
struct SettingsTree {
    /// Values given on the command line, by path.
    let flags: [String: String]
    let environment: [String: String]
    let root: Node?

    /// A configuration file larger than this is somebody's mistake.
    static let fileBytesMax = 1 << 20

    init(yaml: String?, flags: [String: String], environment: [String: String]) throws(ConfigurationError) {
        self.flags = flags
        self.environment = environment
        do {
            root = try yaml.flatMap { try Yams.compose(yaml: $0) }
        } catch {
            throw ConfigurationError(setting: "file", origin: nil, rule: "is not YAML: \(Self.oneLine("\(error)"))")
        }
        if let root, root.mapping == nil {
            throw ConfigurationError(setting: "file", origin: "line 1", rule: "must be a mapping of sections")
        }
    }

    func section(_ name: String) throws(ConfigurationError) -> SettingsSection {
        try SettingsSection(tree: self, path: name, node: root?.mapping?[name])
    }

    /// The elements of a top-level list of mappings, such as `models`.
    func list(_ name: String) throws(ConfigurationError) -> [SettingsSection] {
        guard let node = root?.mapping?[name], !node.isEmptyScalar else { return [] }
        guard let sequence = node.sequence else {
            throw ConfigurationError(setting: name, origin: node.origin, rule: "must be a list")
        }
        var sections: [SettingsSection] = []
        for (index, element) in sequence.enumerated() {
            sections.append(try SettingsSection(tree: self, path: "\(name)[\(index)]", node: element))
        }
        return sections
    }

    func refuseUnknownSections(known: Set<String>) throws(ConfigurationError) {
        for (key, _) in root?.mapping ?? [:] {
            guard let name = key.string, known.contains(name) else {
                throw ConfigurationError(
                    setting: key.string ?? "?", origin: key.origin,
                    rule: "is no section; there are \(known.sorted().joined(separator: ", "))")
            }
        }
    }

    static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}

extension Node {
    var origin: String? { mark.map { "line \($0.line)" } }
    var isEmptyScalar: Bool { scalar.map { $0.string.isEmpty || $0.string == "null" || $0.string == "~" } ?? false }
}
