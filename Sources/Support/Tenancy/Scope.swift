/// Whom a window belongs to. Text form of contract.md §1: `org:O`, `project:O/P`, `user:O/P/U`, `key:ID`.
public enum Scope: Sendable, Hashable, Codable {
    case org(OrgID)
    case project(org: OrgID, project: String)
    case user(org: OrgID, project: String, user: String)
    case key(String)

    public enum Kind: String, Sendable, Hashable, CaseIterable, Codable { case org, project, user, key }

    public var kind: Kind {
        switch self {
        case .org: .org
        case .project: .project
        case .user: .user
        case .key: .key
        }
    }

    /// What follows the colon in the text form.
    public var id: String {
        switch self {
        case .org(let org): org.text
        case .project(let org, let project): "\(org)/\(project)"
        case .user(let org, let project, let user): "\(org)/\(project)/\(user)"
        case .key(let key): key
        }
    }

    public var text: String { "\(kind.rawValue):\(id)" }

    /// Reads the text form.
    ///
    /// - Throws: ``ScopeError`` naming what is wrong.
    public init(_ text: String) throws(ScopeError) {
        guard let colon = text.firstIndex(of: ":"), let kind = Kind(rawValue: String(text[..<colon])) else { throw .unknownKind }
        let names = text[text.index(after: colon)...].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let expected = [Kind.org: 1, .project: 2, .user: 3, .key: 1][kind]
        guard names.count == expected else { throw .wrongDepth(kind) }
        for name in names { try TenancyName.check(name) }
        switch kind {
        case .org: self = .org(try OrgID(names[0]))
        case .project: self = .project(org: try OrgID(names[0]), project: names[1])
        case .user: self = .user(org: try OrgID(names[0]), project: names[1], user: names[2])
        case .key: self = .key(names[0])
        }
    }
}

/// Why a scope or a name was refused.
public enum ScopeError: Error, Sendable, Hashable {
    /// Not one of `org:`, `project:`, `user:`, `key:`.
    case unknownKind
    /// Too few or too many names for the kind.
    case wrongDepth(Scope.Kind)
    case emptyName
    /// More than ``TenancyName/bytesMax``.
    case nameTooLong
    /// A space, a control character, or one of `/ { }`, which separate names in keys.
    case forbiddenCharacter
    /// Not in Unicode's composed form (NFC).
    case notComposed
}

extension Scope {
    /// Nil of a key, whose store knows it.
    public var org: OrgID? {
        switch self {
        case .org(let org), .project(let org, _), .user(let org, _, _): org
        case .key: nil
        }
    }
}
