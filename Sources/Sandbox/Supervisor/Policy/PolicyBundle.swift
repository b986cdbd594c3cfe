internal import Cedar

/// A set of policies that was found good: parsed, validated against the catalog, tested. A value that decides and keeps nothing.
///
/// What it says is a pure function of the set and the question: two servers with the same ``version`` say the same.
public struct PolicyBundle: Sendable {
    /// SHA-256 in hexadecimal over the files' names and texts, and over all of the catalog that a decision depends on. Tests do not count.
    public let version: String
    /// In the order in which they decide: by the files' names, and by their places there.
    public let rules: [PolicyRule]
    /// The tests beside the policies; all of them pass.
    public let tests: [PolicyTest]
    public let schema: PolicySchema
    /// What the validator found suspicious and harmless.
    let warnings: [PolicyFinding]

    /// Some rules made ready to decide.
    struct Deciding: Sendable {
        let authorizer: Authorizer
        let use: SessionUse

        init(_ rules: [PolicyRule]) {
            authorizer = Authorizer(PolicySet(rules.map(\.policy)))
            use = rules.reduce(into: []) { $0.formUnion(SessionUse(of: $1.policy.expression)) }
        }
    }

    /// Those that decide.
    let enforced: Deciding
    /// Those and the ones that are only tried; nil where none is.
    let tried: Deciding?
    /// What a name alone can tell, by tool.
    let scopes: [String: NameScope]
    private let byID: [String: Int]

    /// The rules of one tool that a name alone may settle.
    struct NameScope: Sendable {
        var permits: [Int] = []
        var unconditionalForbids: [Int] = []
    }

    /// - Throws: ``PolicyLoadError`` with all findings: texts that are no Cedar, policies that do not fit the catalog, annotations and
    ///   obligations that nobody knows, names that stand there twice, tests that are none or fail, a set without any policy, and sets
    ///   beyond ``PolicyLimits``.
    ///
    /// - Parameter demandsTests: false takes a set whose tests fail, for whoever wants to see all their results.
    public init(
        files: [PolicyFile], tests: [PolicyTestFile] = [], catalog: ToolCatalog, demandsTests: Bool = true
    ) throws(PolicyLoadError) {
        let schema = try PolicySchema(catalog)
        var loader = PolicyLoader(files: files, tests: tests, schema: schema, catalog: catalog)
        loader.load()
        guard loader.findings.isEmpty else { throw PolicyLoadError(loader.findings) }
        self.init(loader, schema)
        guard demandsTests else { return }
        let failures = PolicyTestRunner(self).run().filter { !$0.passed }
        guard failures.isEmpty else { throw PolicyLoadError(failures.map(\.finding)) }
    }

    private init(_ loader: PolicyLoader, _ schema: PolicySchema) {
        version = loader.version
        rules = loader.rules
        tests = loader.tests
        warnings = loader.warnings
        self.schema = schema
        enforced = Deciding(rules.filter { !$0.isShadow })
        tried = rules.contains(where: \.isShadow) ? Deciding(rules) : nil
        byID = Dictionary(rules.enumerated().map { ($1.id, $0) }) { first, _ in first }
        var scopes: [String: NameScope] = [:]
        for (number, rule) in rules.enumerated() where !rule.isShadow {
            for tool in rule.tools {
                if rule.effect == .permit {
                    scopes[tool, default: NameScope()].permits.append(number)
                } else if rule.isUnconditional {
                    scopes[tool, default: NameScope()].unconditionalForbids.append(number)
                }
            }
        }
        self.scopes = scopes
    }

    /// Whether a rule looks at what the session has done.
    public var looksAtSession: Bool { !use.isEmpty }

    var use: SessionUse { enforced.use.union(tried?.use ?? []) }

    /// The rule of this id.
    public subscript(rule id: String) -> PolicyRule? { byID[id].map { rules[$0] } }
}
