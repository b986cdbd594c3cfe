internal import Accounting

extension Stores {
    /// The scope that is charged for this one: of a key that replaced another it is that one's (``APIKey/account``).
    func payer(of scope: Scope) async throws -> Scope {
        guard case .key(let id) = scope, let key = try await keys.find(id: id) else { return scope }
        return .key(key.account)
    }
}
