internal import Cedar
internal import Digest
internal import JSON

/// Reads a set of policies as a whole and notes all that is wrong with it.
struct PolicyLoader {
    let files: [PolicyFile]
    let testFiles: [PolicyTestFile]
    let schema: PolicySchema
    let catalog: ToolCatalog
    private(set) var rules: [PolicyRule] = []
    private(set) var tests: [PolicyTest] = []
    private(set) var findings: [PolicyFinding] = []
    private(set) var warnings: [PolicyFinding] = []

    init(files: [PolicyFile], tests: [PolicyTestFile], schema: PolicySchema, catalog: ToolCatalog) {
        // By bytes, so that the order is the same everywhere.
        self.files = files.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        testFiles = tests.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        self.schema = schema
        self.catalog = catalog
    }

    /// Of the policies as they were given and of the catalog.
    var version: String {
        let texts = files.map { JSONValue.array([.string($0.name), .string($0.text)]) }
        return Digest.hex(Digest.sha256(JSONValue.array([.array(texts), .string(schema.digest)]).canonicalBytes))
    }

    mutating func load() {
        guard sizesAreFine() else { return }
        for file in files {
            let reader = PolicyRuleReader(file, schema)
            rules += reader.rules
            findings += reader.findings
        }
        if rules.count > PolicyLimits.rulesMax {
            findings.append(PolicyFinding(.error, "size", message: "There are \(rules.count) rules, and at most \(PolicyLimits.rulesMax)."))
            return
        }
        if rules.isEmpty, findings.isEmpty {
            findings.append(
                PolicyFinding(.error, "empty", message: "There is no policy at all: write one, if only a permit that nobody meets."))
        }
        checkIDs()
        validate()
        findings = findings.enumerated().sorted { left, right in
            let (one, other) = (left.element, right.element)
            if one.file != other.file { return one.file.utf8.lexicographicallyPrecedes(other.file.utf8) }
            return (one.line, one.column, left.offset) < (other.line, other.column, right.offset)
        }.map(\.element)
        readTests()
    }

    private mutating func sizesAreFine() -> Bool {
        func note(_ message: String, _ file: String = "") { findings.append(PolicyFinding(.error, "size", file: file, message: message)) }
        if files.count > PolicyLimits.filesMax { note("There are more than \(PolicyLimits.filesMax) files.") }
        for file in files where file.text.utf8.count > PolicyLimits.fileBytesMax {
            note("The file has more than \(PolicyLimits.fileBytesMax) bytes.", file.name)
        }
        if files.reduce(0, { $0 + $1.text.utf8.count }) > PolicyLimits.bytesMax {
            note("The files have more than \(PolicyLimits.bytesMax) bytes in all.")
        }
        var names: Set<[UInt8]> = []
        for name in files.map(\.name) + testFiles.map(\.name) where !names.insert(Array(name.utf8)).inserted {
            note("There are two files of this name.", name)
        }
        return findings.isEmpty
    }

    private mutating func checkIDs() {
        var first: [[UInt8]: PolicyRule] = [:]
        for rule in rules {
            guard let other = first[Array(rule.id.utf8)] else {
                first[Array(rule.id.utf8)] = rule
                continue
            }
            findings.append(
                PolicyFinding(
                    .error, "id", file: rule.file, line: rule.line, column: rule.column, rule: rule.id,
                    message: "\(other.file):\(other.line) has this id already."))
        }
    }

    private mutating func validate() {
        // Under their numbers, because ids may stand there twice.
        let report = schema.schema.validate(rules.enumerated().map { $1.policy.identified(as: String($0)) })
        findings += report.errors.compactMap { finding($0, .error) }
        warnings = report.warnings.compactMap { finding($0, .warning) }
    }

    private func finding(_ finding: ValidationFinding, _ severity: PolicyFinding.Severity) -> PolicyFinding? {
        guard let number = Int(finding.policy), rules.indices.contains(number) else { return nil }
        let place = finding.range.start
        return PolicyFinding(
            severity, finding.kind.rawValue, file: rules[number].file, line: Int(place.line), column: Int(place.column),
            rule: rules[number].id, message: finding.message)
    }

    private mutating func readTests() {
        var names: Set<[UInt8]> = []
        for file in testFiles {
            var reader = PolicyTestReader(file, catalog)
            reader.read()
            for test in reader.tests where !names.insert(Array(test.name.utf8)).inserted {
                findings.append(
                    PolicyFinding(.error, "test", file: file.name, rule: test.name, message: "There is a test of this name already."))
            }
            tests += reader.tests
            findings += reader.findings
        }
        if tests.count > PolicyLimits.testsMax {
            findings.append(PolicyFinding(.error, "size", message: "There are more than \(PolicyLimits.testsMax) tests."))
        }
    }
}
