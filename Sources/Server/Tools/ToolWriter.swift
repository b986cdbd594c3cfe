internal import JSON

/// Writes a catalog of tools as YAML, as a person would: blocks, with short lists and short mappings on one line.
enum ToolWriter {
    /// A mapping that is longer goes over several lines.
    private static let lineMax = 110
    /// Words that YAML takes for something else than a text.
    private static let meant: Set<String> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"]

    /// A whole file.
    static func text(_ file: JSONObject) -> String { block(.object(file)).joined(separator: "\n") + "\n" }

    /// One tool as lines of a list whose dashes are indented by `depth`.
    static func entry(_ tool: JSONObject, depth: Int) -> [String] {
        let indent = String(repeating: " ", count: depth)
        return block(.array([.object(tool)])).map { indent + $0 }
    }

    private static func block(_ value: JSONValue) -> [String] {
        switch value {
        case .object(let object) where !object.isEmpty:
            return object.members.flatMap { member -> [String] in
                let key = scalar(.string(member.key), inFlow: true)
                if let short = flow(member.value, isWhole: true), key.utf8.count + short.utf8.count <= lineMax || isScalar(member.value) {
                    return ["\(key): \(short)"]
                }
                return ["\(key):"] + block(member.value).map { "  " + $0 }
            }
        case .array(let values) where !values.isEmpty:
            return values.flatMap { value -> [String] in
                let lines = block(value)
                return ["- \(lines[0])"] + lines.dropFirst().map { "  " + $0 }
            }
        default: return [flow(value, isWhole: true) ?? "null"]
        }
    }

    private static func isScalar(_ value: JSONValue) -> Bool {
        switch value {
        case .array(let values): values.isEmpty
        case .object(let object): object.isEmpty
        default: true
        }
    }

    /// On one line; nil for what has lists or mappings inside.
    private static func flow(_ value: JSONValue, isWhole: Bool) -> String? {
        switch value {
        case .array(let values):
            guard values.allSatisfy(isScalar) else { return nil }
            return "[" + values.compactMap { flow($0, isWhole: false) }.joined(separator: ", ") + "]"
        case .object(let object):
            guard object.members.allSatisfy({ isScalar($0.value) }) else { return nil }
            guard !object.isEmpty else { return "{}" }
            let members = object.members.map { "\(scalar(.string($0.key), inFlow: true)): \(flow($0.value, isWhole: false) ?? "null")" }
            return "{ " + members.joined(separator: ", ") + " }"
        default: return scalar(value, inFlow: !isWhole)
        }
    }

    private static func scalar(_ value: JSONValue, inFlow: Bool) -> String {
        guard case .string(let text) = value, !isPlain(text, inFlow: inFlow) else { return value.stringValue ?? value.jsonText }
        return value.jsonText
    }

    /// Whether YAML takes it for this text without quotes.
    private static func isPlain(_ text: String, inFlow: Bool) -> Bool {
        guard let first = text.utf8.first, isLetter(first), text.utf8.last != UInt8(ascii: " "), !meant.contains(text.lowercased()) else {
            return false
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "-"): true
            case UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "'"), UInt8(ascii: "+"): !inFlow
            default: isLetter(byte)
            }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte >= UInt8(ascii: "A")
    }
}
