public import JSON

/// Something that is to be said about policies or their tests, with its place.
public struct PolicyFinding: Sendable, Hashable, CustomStringConvertible {
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// The set is refused.
        case error
        /// It hardly means what its author wants.
        case warning
        case info
    }

    public let severity: Severity
    /// What kind of finding, for programs: `syntax`, `never_matches`, `gap`.
    public let kind: String
    /// Empty for what belongs to no file.
    public let file: String
    /// From 1; 0 for what has no place in a text.
    public let line: Int
    /// From 1, in Unicode scalars; 0 for what has no place in a text.
    public let column: Int
    /// The rule or the test.
    public let rule: String?
    /// One sentence.
    public let message: String

    public init(
        _ severity: Severity, _ kind: String, file: String = "", line: Int = 0, column: Int = 0, rule: String? = nil, message: String
    ) {
        self.severity = severity
        self.kind = kind
        self.file = file
        self.line = line
        self.column = column
        self.rule = rule
        self.message = message
    }

    /// `{"severity", "kind", "file"?, "line"?, "column"?, "rule"?, "message"}`.
    public var json: JSONValue {
        var object = JSONObject([("severity", .string(severity.rawValue)), ("kind", .string(kind))])
        if !file.isEmpty { object["file"] = .string(file) }
        if line > 0 {
            object["line"] = .integer(Int64(line))
            object["column"] = .integer(Int64(column))
        }
        object["rule"] = rule.map { .string($0) }
        object["message"] = .string(message)
        return .object(object)
    }

    /// `refunds.cedar:3:12: error: refund-small: …`.
    public var description: String {
        var place = file.isEmpty ? "" : "\(file):"
        if line > 0 { place += "\(line):\(column):" }
        let subject = rule.map { " \($0):" } ?? ""
        return "\(place)\(place.isEmpty ? "" : " ")\(severity.rawValue):\(subject) \(message)"
    }
}

/// Why a set of policies is not loaded: all that is wrong with it, at most ``PolicyLimits/findingsMax``.
public struct PolicyLoadError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Never empty. Those of the files in the order of the files' names and their lines, then those of the tests.
    public let findings: [PolicyFinding]

    public init(_ findings: [PolicyFinding]) { self.findings = Array(findings.prefix(PolicyLimits.findingsMax)) }

    /// A finding on each line.
    public var description: String { findings.map(\.description).joined(separator: "\n") }
}

/// A text of policies.
public struct PolicyFile: Sendable, Hashable {
    /// `refunds.cedar`, below the folder of the policies.
    public let name: String
    public let text: String

    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }
}

/// A file of tests, read strictly: `{"tests": […]}`.
public struct PolicyTestFile: Sendable, Hashable {
    /// `refunds.test.yaml`.
    public let name: String
    public let value: JSONValue

    public init(name: String, value: JSONValue) {
        self.name = name
        self.value = value
    }
}
