internal import Accounting
internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// The part of the tenancy that an administrator's request is about. There is no way to one but by names that were checked, of
/// organisations that the caller administers: no store is asked about anything else.
struct AdminArea: Sendable, Hashable {
    /// Nil: every organisation, which only an operator may mean.
    let org: OrgID?
    let project: String?
    let user: String?

    /// From `org`, `project` and `user` of the query. Without `org` an admin means its own, an operator every one; `*` is every one.
    ///
    /// - Throws: 400 for what is no name or names too little, 403 for another's organisation.
    init(_ request: Request, _ principal: Principal) throws(HTTPFailure) {
        let query = request.uri.queryParameters
        func name(_ key: Substring) throws(HTTPFailure) -> String? {
            guard let text = query[key].map(String.init) else { return nil }
            return try Self.checked(text, key: String(key))
        }
        if query["org"] == "*", !principal.isOperator { throw .scopeDenied(param: "org") }
        var org: OrgID?
        if let text = query["org"], text != "*" { org = try Self.administered(Self.org(String(text)), by: principal, param: "org") }
        (project, user) = (try name("project"), try name("user"))
        self.org = org ?? (principal.isOperator ? nil : principal.org)
        if project != nil, self.org == nil { throw .badRequest("project needs an org beside it.", param: "org") }
        if user != nil, project == nil { throw .badRequest("user needs a project beside it.", param: "project") }
    }

    /// The narrowest that it names; nil: every organisation.
    var scope: Scope? {
        guard let org else { return nil }
        guard let project else { return .org(org) }
        guard let user else { return .project(org: org, project: project) }
        return .user(org: org, project: project, user: user)
    }

    // MARK: Names

    /// The scope that a path names by `:org`, `:project` and `:user`.
    static func scope(_ kind: Scope.Kind, in context: AppContext) throws -> Scope {
        func name(_ key: String) throws -> String {
            try checked(try context.parameters.require(key).removingPercentEncoding ?? "", key: key)
        }
        let org = try administered(Self.org(try name("org")), by: context.principal, param: "org")
        return switch kind {
        case .org, .key: .org(org)
        case .project: .project(org: org, project: try name("project"))
        case .user: .user(org: org, project: try name("project"), user: try name("user"))
        }
    }

    /// `-` and `*` have meanings of their own.
    static func checked(_ text: String, key: String) throws(HTTPFailure) -> String {
        do { try TenancyName.check(text) } catch { throw .badRequest("\(key) \(TenancyName.rule).", param: key) }
        if key != "user", text == TenancyName.noProject || text == "*" {
            throw .badRequest("\(key) must not be \(text), which has a meaning of its own.", param: key)
        }
        return text
    }

    /// The organisation that a text from outside names.
    static func org(_ text: String, key: String = "org") throws(HTTPFailure) -> OrgID {
        let name = try checked(text, key: key)
        do { return try OrgID(name) } catch { throw .badRequest("\(key) \(TenancyName.rule).", param: key) }
    }

    /// The organisation that `?org=` names, or else the caller's own.
    ///
    /// - Throws: 403 for one that the caller does not administer.
    static func org(of request: Request, _ principal: Principal) throws(HTTPFailure) -> OrgID {
        try org(named: request.uri.queryParameters["org"].map(String.init), principal) ?? principal.org
    }

    /// The organisation that a text names, `-` for the server's own records; nil for nil.
    ///
    /// - Throws: 403 for one that the caller does not administer.
    static func org(named text: String?, _ principal: Principal) throws(HTTPFailure) -> OrgID? {
        guard let text else { return nil }
        guard let org = try? OrgID(text) else { throw .badRequest("org \(TenancyName.rule).", param: "org") }
        return try administered(org, by: principal, param: "org")
    }

    /// - Throws: 403 for an organisation that the caller does not administer, whether there is one or not.
    static func administered(_ org: OrgID, by principal: Principal, param: String) throws(HTTPFailure) -> OrgID {
        guard principal.administers(org: org) else { throw .scopeDenied(param: param) }
        return org
    }

    /// A scope that the caller names.
    ///
    /// - Throws: 403 for another's; a key that does not exist is another's to an admin.
    static func scope(_ text: String, by principal: Principal, _ windows: WindowReader) async throws -> Scope {
        let scope: Scope
        do { scope = try Scope(text) } catch {
            throw HTTPFailure.badRequest("scope must be org:O, project:O/P, user:O/P/U or key:ID.", param: "scope")
        }
        let org = try await windows.org(of: scope)
        if principal.isOperator {
            guard org != nil else { throw HTTPFailure(.notFound, code: "key_not_found", message: "There is no such key.", param: "scope") }
            return try await windows.payer(of: scope)
        }
        guard let org, principal.administers(org: org) else { throw HTTPFailure.scopeDenied(param: "scope") }
        return try await windows.payer(of: scope)
    }
}
