internal import Accounting
internal import JSON

/// Writes a change into the decision log before it is made: what cannot be logged does not happen.
struct ChangeLog: Sendable {
    let decisions: any DecisionStore

    func record(_ action: String, in org: OrgID?, kind: ToolDecision.Kind = .change, _ details: JSONObject) async throws {
        let act = try AuditAuthor.current.act(action, in: org, kind: kind, details)
        try await decisions.append([ToolDecision(act, id: AuditTrail.id(), at: WallClock.now())])
    }
}

/// Keys, with every change in the decision log, whoever makes it.
struct AuditedKeys: KeyStore {
    let store: any KeyStore
    let log: ChangeLog

    func create(_ key: APIKey, hash: String) async throws {
        var details = JSONObject([
            ("key", .string(key.id)), ("project", .string(key.project)), ("roles", .array(key.roles.map { .string($0) })),
        ])
        details["user"] = key.user.map { .string($0) }
        details["identity"] = key.identity.map { .string($0) }
        if key.kind != .person { details["kind"] = .string(key.kind.rawValue) }
        if !key.settings.models.isEmpty { details["models"] = .array(key.settings.models.map { .string($0) }) }
        details["expires_at"] = key.settings.expiresAt.map { .string($0.rfc3339) }
        try await log.record("key.create", in: key.org, details)
        try await store.create(key, hash: hash)
    }

    func revoke(id: String, author: String, at: Milliseconds) async throws -> Bool {
        guard let key = try await store.find(id: id), key.revokedAt == nil else { return false }
        try await log.record("key.revoke", in: key.org, JSONObject([("key", .string(id))]))
        return try await store.revoke(id: id, author: author, at: at)
    }

    @discardableResult
    func change(
        _ id: String, _ change: @escaping @Sendable (inout KeySettings) -> Void
    ) async throws -> (before: APIKey, after: APIKey)? {
        guard let key = try await store.find(id: id) else { return nil }
        var settings = key.settings
        change(&settings)
        var details = JSONObject([
            ("key", .string(id)), ("blocked", .bool(settings.isBlocked)), ("models", .array(settings.models.map { .string($0) })),
        ])
        details["expires_at"] = settings.expiresAt.map { .string($0.rfc3339) }
        try await log.record("key.set", in: key.org, details)
        return try await store.change(id, change)
    }

    func active(hash: String) async throws -> APIKey? { try await store.active(hash: hash) }
    func find(hash: String) async throws -> APIKey? { try await store.find(hash: hash) }
    func find(id: String) async throws -> APIKey? { try await store.find(id: id) }
    func list(_ filter: KeyFilter, at now: Milliseconds, after cursor: String?, limit: Int) async throws -> [APIKey] {
        try await store.list(filter, at: now, after: cursor, limit: limit)
    }
    func orgs() async throws -> [OrgID] { try await store.orgs() }
    func used(_ uses: [String: Milliseconds]) async throws { try await store.used(uses) }
}

/// Organisations, projects and users, with every change in the decision log, whoever makes it.
struct AuditedTenants: TenantStore {
    let store: any TenantStore
    let log: ChangeLog

    @discardableResult
    func put(_ scope: Scope, name: NameChange, at: Milliseconds) async throws -> Bool {
        let known = try await store.find(scope)
        var details = JSONObject([(scope.kind.rawValue, .string(scope.id))])
        switch name {
        case .keep: break
        case .remove: details["name"] = known?.name.map { _ in .null }
        case .set(let text): details["name"] = text == known?.name ? nil : .string(text)
        }
        // The same again is no change.
        if known == nil || details["name"] != nil {
            try await log.record("\(scope.kind.rawValue).\(known == nil ? "create" : "set")", in: scope.org, details)
        }
        return try await store.put(scope, name: name, at: at)
    }

    func find(_ scope: Scope) async throws -> TenantRecord? { try await store.find(scope) }
    func list(_ kind: Scope.Kind, org: OrgID?, project: String?, after cursor: String?, limit: Int) async throws -> [TenantRecord] {
        try await store.list(kind, org: org, project: project, after: cursor, limit: limit)
    }
}

/// Budgets, with every change in the decision log, whoever makes it.
struct AuditedBudgets: BudgetStore {
    let store: any BudgetStore
    let keys: any KeyStore
    let log: ChangeLog

    func set(_ budget: Budget, by author: Budget.Owner) async throws -> Budget? {
        let known = try await store.list(scope: budget.scope).first {
            $0.model == budget.model && $0.unit == budget.unit && $0.period == budget.period
        }
        if known?.owner == .operator, author != .operator { return nil }
        // The budgets of the configuration are set at each start; one that is there already is no change.
        let owner = author == .operator ? budget.owner : .org
        if known?.limit != budget.limit || known?.zone != budget.zone || known?.owner != owner {
            var details = JSONObject(budget.json.objectValue?.members.map { ($0.key, $0.value) } ?? [])
            details["was"] = known.map { $0.unit.json($0.limit) }
            details["owner"] = .string(owner.rawValue)
            try await log.record("budget.set", in: try await org(of: budget.scope), details)
        }
        return try await store.set(budget, by: author)
    }

    func remove(scope: Scope, model: String?, unit: MeterUnit, period: Period, by author: Budget.Owner) async throws -> BudgetRemoval {
        let known = try await store.list(scope: scope).first { $0.model == model && $0.unit == unit && $0.period == period }
        guard let known else { return .absent }
        if known.owner == .operator, author != .operator { return .kept }
        try await log.record("budget.remove", in: try await org(of: scope), known.json.objectValue ?? JSONObject())
        return try await store.remove(scope: scope, model: model, unit: unit, period: period, by: author)
    }

    /// Nil of a key that is not there yet: a key's budgets are set before it can be used.
    private func org(of scope: Scope) async throws -> OrgID? {
        guard case .key(let id) = scope else { return scope.org }
        return try await keys.find(id: id)?.org
    }

    func list(scope: Scope?) async throws -> [Budget] { try await store.list(scope: scope) }
    func page(org: OrgID?, after: BudgetName?, limit: Int) async throws -> [Budget] {
        try await store.page(org: org, after: after, limit: limit)
    }
    func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> BudgetReading { try await store.budgets(for: path) }
    func budgets(for path: TenancyPath, changedSince edition: Int64) async throws(BudgetDirectoryError) -> BudgetReading? {
        try await store.budgets(for: path, changedSince: edition)
    }
}

/// Orders to cut, in the decision log.
///
/// To stop something needs no log that works: an order that cannot be written down is given all the same.
struct AuditedRevocations: RevocationStore {
    let store: any RevocationStore
    let keys: any KeyStore
    let log: ChangeLog

    func add(_ target: Revocation.Target, org: OrgID?, author: String, reason: String?, at: Milliseconds) async throws {
        var details = JSONObject([("target", .string(target.text)), ("author", .string(author))])
        details["reason"] = reason.map { .string($0) }
        try? await log.record("kill.order", in: try await self.org(of: target) ?? org, kind: .kill, details)
        try await store.add(target, org: org, author: author, reason: reason, at: at)
    }

    private func org(of target: Revocation.Target) async throws -> OrgID? {
        guard case .scope(let scope) = target else { return nil }
        guard case .key(let id) = scope else { return scope.org }
        return try await keys.find(id: id)?.org
    }

    func after(_ id: Int64) async throws -> [Revocation] { try await store.after(id) }
    func forget(before: Milliseconds) async throws { try await store.forget(before: before) }
}
