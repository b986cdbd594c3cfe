/// An order that what lives of a run, or of all runs of a scope, is cut now, whatever its budgets would still allow.
///
/// It is for what already runs: what begins afterwards is decided by keys and budgets.
public struct Revocation: Sendable, Hashable {
    public enum Target: Sendable, Hashable {
        case run(String)
        case scope(Scope)

        /// `run:` and the run's id, or the scope as it is written everywhere.
        public var text: String {
            switch self {
            case .run(let run): "run:\(run)"
            case .scope(let scope): scope.text
            }
        }

        /// - Throws: ``ScopeError`` when it is neither a run nor a scope.
        public init(_ text: String) throws(ScopeError) {
            guard text.hasPrefix("run:") else {
                self = .scope(try Scope(text))
                return
            }
            let run = String(text.dropFirst(4))
            try TenancyName.check(run)
            self = .run(run)
        }
    }

    /// Grows; 1 is the first.
    public let id: Int64
    public let target: Target
    /// Nothing of another organisation is meant; nil for all, which only an operator may order.
    public let org: OrgID?
    /// The key that gave the order, or how else it came.
    public let author: String
    /// In the words of whoever gave it; nil where they gave none.
    public let reason: String?
    public let at: Milliseconds

    public init(id: Int64, target: Target, org: OrgID? = nil, author: String, reason: String? = nil, at: Milliseconds) {
        self.id = id
        self.target = target
        self.org = org
        self.author = author
        self.reason = reason
        self.at = at
    }

    /// - Parameter credential: the key that the run was started with. It is the one that is meant: another that spends from the same account
    ///   goes on.
    public func covers(run: String, path: TenancyPath, credential: String? = nil) -> Bool {
        guard org == nil || org == path.org else { return false }
        return switch target {
        case .run(let name): name == run
        case .scope(.key(let key)): (credential ?? path.key) == key
        case .scope(let scope): path.scopes.contains(scope)
        }
    }
}

/// Orders to cut, for every server that shares the store. Each server reads on from the last that it has carried out.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator.
public protocol RevocationStore: Sendable {
    /// Whoever reads up to an id has seen all below it, also when several write at one time.
    func add(_ target: Revocation.Target, org: OrgID?, author: String, reason: String?, at: Milliseconds) async throws
    /// Those after `id`, oldest first; at most ``StoreLimits/page``.
    func after(_ id: Int64) async throws -> [Revocation]
    /// Forgets what is older; for those of ``StoreLimits/revocationRetention``.
    func forget(before: Milliseconds) async throws
}

extension RevocationStore {
    /// An order for which nobody gave a reason.
    public func add(_ target: Revocation.Target, org: OrgID?, author: String, at: Milliseconds) async throws {
        try await add(target, org: org, author: author, reason: nil, at: at)
    }
}
