internal import Accounting
internal import Engine

/// The only places where a request's tenant becomes a handle of a store: nothing that a client says has a part in it.
extension ProjectHandle {
    init(of tenant: Tenant) throws(ScopeError) { try self.init(org: tenant.org, project: tenant.project) }
}

extension ConversationOwner {
    init(of tenant: Tenant) throws(ScopeError) {
        try self.init(org: tenant.org, project: tenant.project, user: tenant.user, key: tenant.key)
    }
}

extension UserHandle {
    /// - Returns: nil when the tenant is bound to no user, and so has no memory.
    init?(of tenant: Tenant) throws(ScopeError) {
        guard let user = tenant.user else { return nil }
        try self.init(org: tenant.org, project: tenant.project, user: user)
    }
}
