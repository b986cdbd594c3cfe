internal import JSON

/// One tool that is made, changed or taken away.
struct ToolEdit: Sendable {
    /// The tool that is meant; one that is not there is made.
    let name: String
    /// As it is to be; nil takes it away.
    let tool: JSONObject?
}

extension ToolText {
    /// The text with these tools changed and all others, their comments included, as they are. Where a text has them in a form in which that
    /// cannot be done the list is written anew.
    ///
    /// - Throws: for a tool that is to go and is not there, and for one that cannot be written.
    func applying(_ edits: [ToolEdit]) throws(StrictYAML.Failure) -> String {
        var wanted = entries.map { (name: $0.name, value: $0.value) }
        for edit in edits {
            let place = wanted.firstIndex { $0.name == edit.name }
            switch (place, edit.tool) {
            case (let place?, let tool?): wanted[place] = (edit.name, tool)
            case (let place?, nil): wanted.remove(at: place)
            case (nil, let tool?): wanted.append((edit.name, tool))
            case (nil, nil): throw StrictYAML.Failure(line: nil, message: "there is no tool \(edit.name)")
            }
        }
        let expected = wanted.map(\.value)
        if let spliced = try? splicing(edits), let read = try? ToolText(spliced), read.says(expected, beside: others) { return spliced }
        var whole = others
        whole["tools"] = .array(expected.map { .object($0) })
        let anew = ToolWriter.text(whole)
        // What was written is what will be read, or nothing is written.
        guard try ToolText(anew).says(expected, beside: others) else {
            throw StrictYAML.Failure(line: nil, message: "has a text that cannot be written as YAML")
        }
        return anew
    }

    private func says(_ tools: [JSONObject], beside others: JSONObject) -> Bool {
        hasList && entries.map { JSONValue.object($0.value).canonicalBytes } == tools.map { JSONValue.object($0).canonicalBytes }
            && JSONValue.object(self.others).canonicalBytes == JSONValue.object(others).canonicalBytes
    }

    private func splicing(_ edits: [ToolEdit]) throws(StrictYAML.Failure) -> String? {
        var state = self
        for edit in edits {
            guard let next = state.splicing(edit) else { return nil }
            state = try ToolText(next)
        }
        return state.text
    }

    private func splicing(_ edit: ToolEdit) -> String? {
        var lines = lines
        let place = entries.firstIndex { $0.name == edit.name }
        guard let last = entries.last?.lines else { return nil }
        let depth = Self.indentation(lines[last.lowerBound])
        let written = edit.tool.map { ToolWriter.entry($0, depth: depth) }
        if let place {
            guard var range = entries[place].lines else { return nil }
            if let written {
                lines.replaceSubrange(range, with: written)
            } else {
                // The comment right above it is about it, and one empty line kept it from the tool before.
                var start = range.lowerBound
                while start > 0, Self.isComment(lines[start - 1]), Self.indentation(lines[start - 1]) == depth { start -= 1 }
                if start > 0, Self.isBlank(lines[start - 1]) { start -= 1 }
                range = start..<range.upperBound
                lines.removeSubrange(range)
            }
        } else if let written {
            var above = last.lowerBound - 1
            while above >= 0, Self.isComment(lines[above]) { above -= 1 }
            let isLoose = entries.count < 2 || above >= 0 && Self.isBlank(lines[above])
            lines.insert(contentsOf: (isLoose ? [""] : []) + written, at: last.upperBound)
        }
        return lines.joined(separator: "\n")
    }
}
