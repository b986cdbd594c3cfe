internal import JSON
internal import Yams

/// YAML as a writing of JSON values: what two readers could understand differently, or what only the file's writer would expect, is refused.
/// No anchors, aliases and merge keys, no tags of one's own, no key twice, no NaN; bounded in bytes, values and depth.
struct StrictYAML {
    /// Why a file cannot be used.
    struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// Nil where the parser names it in the message, or there is none.
        let line: Int?
        let message: String

        var description: String { line.map { "line \($0): \(message)" } ?? message }
    }

    /// Why a text cannot stand where it does.
    struct Refusal: Error {
        let rule: String
    }

    /// What becomes of a text. `keys` are those of the mappings that it stands in, the outermost first.
    typealias Texts = (_ text: String, _ keys: [String]) throws(Refusal) -> String

    let bytesMax: Int
    let nodesMax: Int
    var depthMax = 64

    /// - Returns: nil of an empty document.
    func value(of text: String, texts: Texts = { text, _ in text }) throws(Failure) -> JSONValue? {
        guard text.utf8.count <= bytesMax else { throw Failure(line: nil, message: "has more than \(bytesMax) bytes") }
        let (parser, root): (Parser, Node?)
        do {
            parser = try Parser(yaml: text)
            root = try parser.singleRoot()
        } catch {
            throw Failure(line: nil, message: "is not YAML: \(SettingsTree.oneLine("\(error)"))")
        }
        // Nodes hold their anchors weakly: without the parser none of them would have one.
        defer { withExtendedLifetime(parser) {} }
        guard let root else { return nil }
        var nodesLeft = nodesMax
        return try read(root, in: [], depth: 0, &nodesLeft, texts)
    }

    private func read(
        _ node: Node, in keys: [String], depth: Int, _ nodesLeft: inout Int, _ texts: Texts
    ) throws(Failure) -> JSONValue {
        func failure(_ message: String, _ node: Node) -> Failure { Failure(line: node.mark?.line, message: message) }
        nodesLeft -= 1
        guard nodesLeft >= 0, depth <= depthMax else {
            throw failure("has more than \(nodesMax) values or is deeper than \(depthMax)", node)
        }
        guard node.anchor == nil else { throw failure("has an anchor: write the value where it is needed", node) }
        if let mapping = node.mapping {
            guard Self.tag(node) == "map" else { throw failure("has a tag of its own at a mapping", node) }
            var object = JSONObject()
            for (key, element) in mapping {
                guard let name = key.string, name != "<<" else { throw failure("has a key that is no text, or a merge key", key) }
                let inner = keys + [name]
                guard object[name] == nil else { throw failure("has \(inner.joined(separator: ".")) twice", key) }
                object[name] = try read(element, in: inner, depth: depth + 1, &nodesLeft, texts)
            }
            return .object(object)
        }
        if let sequence = node.sequence {
            guard Self.tag(node) == "seq" else { throw failure("has a tag of its own at a list", node) }
            var values: [JSONValue] = []
            for element in sequence { values.append(try read(element, in: keys, depth: depth + 1, &nodesLeft, texts)) }
            return .array(values)
        }
        guard let scalar = node.scalar else { throw failure("has an alias", node) }
        let value = try read(scalar, node)
        guard case .string(let text) = value else { return value }
        do throws(Refusal) { return .string(try texts(text, keys)) } catch { throw failure(error.rule, node) }
    }

    private func read(_ scalar: Node.Scalar, _ node: Node) throws(Failure) -> JSONValue {
        // A tag that was written stands before the style: only the plain ones are known here.
        let known: Set<String> = ["str", "null", "bool", "int", "float", "timestamp"]
        guard known.contains(Self.tag(node)) else { throw Failure(line: node.mark?.line, message: "has a tag that is not known here") }
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        if node.null != nil { return .null }
        if let flag = node.bool { return .bool(flag) }
        if let number = Int64(scalar.string) { return .integer(number) }
        guard Self.tag(node) == "float" || Double(scalar.string) != nil else { return .string(scalar.string) }
        guard let number = Double(scalar.string), number.isFinite else {
            throw Failure(line: node.mark?.line, message: "has \(scalar.string), which is no number of JSON")
        }
        return .number(scalar.string)
    }

    /// The name of the type that YAML gives the node, without the prefix of YAML's own; of a tag that somebody wrote, all of it.
    private static func tag(_ node: Node) -> String {
        let name = "\(node.tag)"
        let prefix = "tag:yaml.org,2002:"
        return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }
}
