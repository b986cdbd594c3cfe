internal import JSON

/// A question with its expected answer, beside the policies.
public struct PolicyTest: Sendable {
    public let name: String
    public let file: String
    /// A question, or why it is none: a call whose arguments do not fit is denied all the same.
    let question: Result<DecisionRequest, QuestionError>
    public let expectation: Expectation

    /// What the answer must have; what is nil may be anything.
    public struct Expectation: Sendable, Hashable {
        public let decision: ShadowRuling.Decision
        public let rule: String?
        public let code: String?
        public let quorum: Int?
        /// The texts of the limits, in any order.
        public let limits: [String]?
    }
}

/// Reads one file of tests: `{"tests": [{"name", <a question>, "expect": {"decision", "rule", "code", "quorum", "limits"}}]}`.
struct PolicyTestReader {
    let file: PolicyTestFile
    let catalog: ToolCatalog
    private(set) var tests: [PolicyTest] = []
    private(set) var findings: [PolicyFinding] = []

    init(_ file: PolicyTestFile, _ catalog: ToolCatalog) {
        self.file = file
        self.catalog = catalog
    }

    mutating func read() {
        do throws(QuestionError) {
            var reader = try QuestionReader(file.value, at: "")
            guard case .array(let entries)? = reader.take("tests"), !entries.isEmpty else {
                throw QuestionError(.form, "tests", "It is a list of tests, and not empty.")
            }
            try reader.finish()
            for (index, entry) in entries.prefix(PolicyLimits.testsMax + 1).enumerated() { read(entry, "tests[\(index)]") }
        } catch {
            note(error, nil)
        }
    }

    private mutating func note(_ error: QuestionError, _ test: String?) {
        findings.append(PolicyFinding(.error, "test", file: file.name, rule: test, message: error.description))
    }

    private mutating func read(_ entry: JSONValue, _ path: String) {
        var shown = path
        do throws(QuestionError) {
            var reader = try QuestionReader(entry, at: path)
            guard let name = try reader.text("name"), !name.isEmpty else {
                throw QuestionError(.form, path, "A test has a name.")
            }
            shown = name
            let expectation = try Self.expectation(reader.take("expect"), "\(path).expect")
            let question = try Self.question(&reader, catalog)
            tests.append(PolicyTest(name: name, file: file.name, question: question, expectation: expectation))
        } catch {
            note(error, shown)
        }
    }

    /// Mistakes of form are the author's; arguments that do not fit may be what the test is about.
    private static func question(
        _ reader: inout QuestionReader, _ catalog: ToolCatalog
    ) throws(QuestionError) -> Result<DecisionRequest, QuestionError> {
        let result: Result<DecisionRequest, QuestionError>
        do { result = .success(try reader.request(catalog)) } catch {
            guard case .arguments = error.kind else { throw error }
            result = .failure(error)
        }
        try reader.finish()
        return result
    }

    private static func expectation(_ value: JSONValue?, _ path: String) throws(QuestionError) -> PolicyTest.Expectation {
        guard let value else { throw QuestionError(.form, path, "A test says what it expects.") }
        var reader = try QuestionReader(value, at: path)
        guard let text = try reader.text("decision"), let decision = ShadowRuling.Decision(rawValue: text) else {
            throw QuestionError(.form, "\(path).decision", "It is allow, deny or approval.")
        }
        let rule = try reader.text("rule")
        let code = try reader.text("code")
        let quorum = reader.take("quorum")
        let limits = reader.take("limits")
        try reader.finish()
        if code != nil, decision != .deny { throw QuestionError(.form, "\(path).code", "Only a deny has a code.") }
        if quorum != nil, decision != .approval { throw QuestionError(.form, "\(path).quorum", "Only an approval has a quorum.") }
        if limits != nil, decision == .deny { throw QuestionError(.form, "\(path).limits", "A deny has no limits.") }
        if let quorum, quorum.integerValue == nil { throw QuestionError(.form, "\(path).quorum", "It is a number.") }
        var texts: [String]?
        if let limits {
            guard case .array(let values) = limits else { throw QuestionError(.form, "\(path).limits", "They are a list of texts.") }
            texts = values.compactMap(\.stringValue)
            guard texts?.count == values.count else { throw QuestionError(.form, "\(path).limits", "They are a list of texts.") }
        }
        return PolicyTest.Expectation(
            decision: decision, rule: rule, code: code, quorum: quorum?.integerValue.map(Int.init), limits: texts)
    }
}
