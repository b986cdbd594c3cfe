/// Policies and templates that decide together, made ready once: compiled, and indexed by what their scopes ask for.
public struct PolicySet: Sendable {
    /// They in the order of the text; templates are among them.
    public let policies: [Policy]

    /// A policy that can decide.
    final class Prepared: Sendable {
        let policy: Policy
        /// The clauses; the scope is checked without it. Nil where there is no clause.
        let program: Program?

        init(_ policy: Policy) {
            self.policy = policy
            program = policy.clauses.map(Program.init(condition:))
        }

        /// Whether the scope fits. It cannot be an error.
        func fits(_ request: Request, _ entities: Entities) -> Bool {
            policy.principal.fits(request.principal, entities) && policy.action.fits(request.action, entities)
                && policy.resource.fits(request.resource, entities)
        }
    }

    /// The policies that can decide, in the order of the text.
    let prepared: [Prepared]
    let index: ScopeIndex

    /// Reads a text of any number of policies; an empty text is an empty set.
    ///
    /// - Throws: `ParseError` with the first fault; nothing of the text is used then.
    public init(parsing text: String) throws(ParseError) {
        self.init(try PolicyParser.parse(text))
    }

    /// A set of policies that were read before. They keep their ids, which should differ, because an answer
    /// names policies by them (`Policy.identified(as:)`).
    public init(_ policies: [Policy]) {
        self.policies = policies
        prepared = policies.filter { !$0.isTemplate }.map(Prepared.init)
        var index = ScopeIndex()
        for (number, prepared) in prepared.enumerated() { index.insert(prepared.policy, number) }
        self.index = index
    }

    /// The policy of this id; nil if there is none. Linear in their number.
    public subscript(_ id: String) -> Policy? { policies.first { $0.id == id } }
}
