/// Whom a window belongs to. Text form of contract.md §1: `org:O`, `project:O/P`, `user:O/P/U`, `key:ID`.
public enum Scope: Sendable, Hashable, Codable {
    case org(String)
    case project(org: String, project: String)
    case user(org: String, project: String, user: String)
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
        case .org(let org): org
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
        case .org: self = .org(names[0])
        case .project: self = .project(org: names[0], project: names[1])
        case .user: self = .user(org: names[0], project: names[1], user: names[2])
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
    /// More than ``AccountingLimits/nameBytes``.
    case nameTooLong
    /// A space, a control character, or one of `/ { }`, which separate names in keys.
    case forbiddenCharacter
}

/// The rule for names of organisations, projects, users and keys.
public enum TenancyName {
    /// Stands where a path needs a project and an act has none: a change of the whole org, a refusal before any project was known.
    public static let noProject = "-"

    public static func check(_ name: String) throws(ScopeError) {
        guard !name.isEmpty else { throw .emptyName }
        guard name.utf8.count <= AccountingLimits.nameBytes else { throw .nameTooLong }
        for scalar in name.unicodeScalars {
            guard scalar.value > 0x20, scalar.value != 0x7F, !scalar.properties.isWhitespace, !"/{}".unicodeScalars.contains(scalar),
                scalar.properties.generalCategory != .control, scalar.properties.generalCategory != .format
            else { throw .forbiddenCharacter }
        }
    }
}

/// Where a run stands: the tenancy path. A path without a user belongs to the project, one without a key to a token.
public struct TenancyPath: Sendable, Hashable, Codable {
    public let org: String
    public let project: String
    public let user: String?
    public let key: String?

    public init(org: String, project: String, user: String? = nil, key: String? = nil) throws(ScopeError) {
        for name in [org, project, user, key] {
            if let name { try TenancyName.check(name) }
        }
        self.org = org
        self.project = project
        self.user = user
        self.key = key
    }

    /// The scopes that pay, widest first.
    public var scopes: [Scope] {
        var scopes: [Scope] = [.org(org), .project(org: org, project: project)]
        if let user { scopes.append(.user(org: org, project: project, user: user)) }
        if let key { scopes.append(.key(key)) }
        return scopes
    }
}
