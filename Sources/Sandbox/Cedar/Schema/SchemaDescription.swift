extension Schema: CustomStringConvertible {
    /// Every definition on a line, in one order: two schemas that mean the same read the same.
    public var description: String {
        var lines: [String] = []
        for (name, type) in entityDefinitions {
            var line = "entity \(name)"
            if let choices = type.choices {
                line += " enum [\(choices.sorted().map { Escape.quoted($0) }.joined(separator: ", "))]"
            } else {
                if !type.parents.isEmpty { line += " in [\(type.parents.sorted().map(\.description).joined(separator: ", "))]" }
                line += " \(type.attributes)"
                if let tags = type.tags { line += " tags \(tags)" }
            }
            lines.append(line)
        }
        for (uid, action) in actionDefinitions {
            var line = "action \(uid)"
            if !action.parents.isEmpty { line += " in [\(action.parents.sorted().map(\.description).joined(separator: ", "))]" }
            if !action.principals.isEmpty, !action.resources.isEmpty {
                line += " appliesTo [\(action.principals.sorted().map(\.description).joined(separator: ", "))]"
                line += " [\(action.resources.sorted().map(\.description).joined(separator: ", "))] \(action.context)"
            }
            lines.append(line)
        }
        return lines.sorted().joined(separator: "\n")
    }
}
