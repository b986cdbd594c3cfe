internal import JSON
internal import Yams

/// The text of a `tools.yaml` with its tools as they were written, `${NAME}` and all: what a change begins with.
struct ToolText: Sendable {
    /// One tool of the list.
    struct Entry: Sendable, Equatable {
        /// Empty where it has none.
        let name: String
        let value: JSONObject
        /// Where it stands in ``lines``, its dash included; nil where the list is not written with dashes.
        let lines: Range<Int>?
    }

    let text: String
    /// The lines of the text, without their ends.
    let lines: [String]
    /// In the order of the file.
    let entries: [Entry]
    /// Members of the file beside the tools: its `version`.
    let others: JSONObject
    /// Whether there is a list, be it an empty one.
    let hasList: Bool

    /// - Throws: for what is no YAML of a list of tools. What a tool has to have is not looked at.
    init(_ text: String) throws(StrictYAML.Failure) {
        self.text = text
        let yaml = StrictYAML(bytesMax: ToolsFile.fileBytesMax, nodesMax: ToolsFile.nodesMax)
        guard case .object(var object)? = try yaml.value(of: text) else {
            throw StrictYAML.Failure(line: nil, message: "needs a list of tools")
        }
        let values = object["tools"]?.arrayValue ?? []
        hasList = object["tools"]?.arrayValue != nil
        object["tools"] = nil
        others = object
        // By bytes: CR LF is one character.
        lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        let places = Self.places(of: text, lines, count: values.count)
        entries = values.enumerated().map { index, value in
            Entry(
                name: value["name"]?.stringValue ?? "", value: value.objectValue ?? JSONObject(),
                lines: places.map { $0[index] })
        }
    }

    /// The line of a tool, from 1; 0 for one that has no line of its own.
    func line(ofTool index: Int) -> Int { entries.indices.contains(index) ? entries[index].lines.map { $0.lowerBound + 1 } ?? 0 : 0 }

    /// Where each tool stands: from its dash to its last line that says something. Nil where the list is no block of dashes.
    private static func places(of text: String, _ lines: [String], count: Int) -> [Range<Int>]? {
        guard let parser = try? Parser(yaml: text), let root = try? parser.singleRoot(), let list = root.mapping?["tools"]?.sequence,
            list.style != .flow, list.count == count
        else { return nil }
        defer { withExtendedLifetime(parser) {} }
        var starts: [Int] = []
        for node in list {
            guard var line = node.mark.map({ $0.line - 1 }), lines.indices.contains(line) else { return nil }
            // The dash may stand on a line of its own above.
            while line > (starts.last ?? -1) + 1, !isDash(lines[line]) { line -= 1 }
            guard isDash(lines[line]) else { return nil }
            starts.append(line)
        }
        return starts.enumerated().map { index, start in
            var end = start + 1
            let depth = indentation(lines[start])
            let limit = index + 1 < starts.count ? starts[index + 1] : lines.count
            while end < limit, isBlank(lines[end]) || indentation(lines[end]) > depth || isComment(lines[end]) { end += 1 }
            // What stands before the next tool belongs to it, or to nobody.
            while end > start + 1, isBlank(lines[end - 1]) || isComment(lines[end - 1]) { end -= 1 }
            return start..<end
        }
    }

    static func indentation(_ line: String) -> Int { line.prefix { $0 == " " }.count }
    static func isBlank(_ line: String) -> Bool { line.allSatisfy { $0 == " " || $0 == "\t" || $0 == "\r" } }
    static func isComment(_ line: String) -> Bool { line.drop { $0 == " " }.first == "#" }
    private static func isDash(_ line: String) -> Bool {
        let rest = line.drop { $0 == " " }
        return rest == "-" || rest.hasPrefix("- ") || rest == "-\r"
    }
}
