internal import Accounting
internal import HTTPTypes
internal import JSON

/// Our keys and budgets in LiteLLM's words: a virtual key is a key with budgets of its own.
///
/// `max_budget` is a money budget of the key, `tpm_limit` and `rpm_limit` are a minute's tokens and requests: the same
/// budgets that `kdcube budget` shows, with the same hard cut.
struct VirtualKeys: Sendable {
    let stores: Stores

    // MARK: Finding

    /// By its secret or its id; revoked keys are gone.
    func find(_ text: String) async throws -> APIKey? {
        let found: APIKey?
        if text.hasPrefix(APISecret.prefix) {
            guard let hash = APISecret.hash(ofCredential: text) else { return nil }
            found = try await stores.keys.find(hash: hash)
        } else {
            found = try await stores.keys.find(id: text)
        }
        return found?.revokedAt == nil ? found : nil
    }

    // MARK: Making and changing

    /// - Returns: the key and its secret, which is shown this once.
    func generate(_ fields: KeyFields, by admin: Principal, now: Milliseconds) async throws -> (key: APIKey, secret: String) {
        let named = try fields.organization.map { name throws(HTTPFailure) in try AdminArea.org(name, key: "organization_id") }
        let org = try AdminArea.administered(named ?? admin.org, by: admin, param: "organization_id")
        let draft = KeyDraft(
            org: org, project: fields.team ?? admin.project, user: fields.user,
            settings: Self.settings(KeySettings(), changedBy: fields, now: now))
        let made: KeyDesk.Made
        do throws(ScopeError) { made = try KeyDesk.Made(draft, at: now) } catch {
            throw HTTPFailure.badRequest(
                "organization_id, team_id and user_id must be names of at most \(AccountingLimits.nameBytes) bytes in composed form (NFC) without blanks and / { }."
            )
        }
        // Before the key can be used, so that no run of it is without its caps.
        try await setBudgets(fields, of: made.key.id)
        try await stores.keys.create(made.key, hash: made.hash)
        return (made.key, made.secret)
    }

    func update(_ key: APIKey, _ fields: KeyFields, by admin: Principal, now: Milliseconds) async throws {
        for (name, value, known) in [
            ("organization_id", fields.organization, key.org.text), ("team_id", fields.team, key.project),
            ("user_id", fields.user, key.user),
        ] where value != nil && value != known {
            throw HTTPFailure(
                .badRequest, code: "unsupported_parameter", message: "The \(name) of a key cannot change: make another key.", param: name)
        }
        try await setBudgets(fields, of: key.account)
        try await stores.keys.change(key.id) { $0 = Self.settings($0, changedBy: fields, now: now) }
        if fields.isBlocked == true { try await stores.revocations.add(.scope(.key(key.id)), org: key.org, author: admin.keyID, at: now) }
    }

    /// A key that is blocked is cut as well: who blocks it means what runs by it too.
    func set(blocked: Bool, _ key: APIKey, by admin: Principal) async throws {
        try await KeyDesk(stores: stores).change(key.id, at: WallClock.now()) { $0.isBlocked = blocked }
    }

    private static func settings(_ old: KeySettings, changedBy fields: KeyFields, now: Milliseconds) -> KeySettings {
        var settings = old
        fields.alias.apply(to: &settings.alias)
        switch fields.duration {
        case .keep: break
        case .remove: settings.expiresAt = nil
        case .set(let duration): settings.expiresAt = now + duration.span
        }
        switch fields.onDisconnect {
        case .keep: break
        case .remove: settings.onDisconnect = nil
        case .set(let policy): settings.onDisconnect = policy.setting
        }
        settings.models = fields.models ?? settings.models
        settings.metadata = fields.metadata ?? settings.metadata
        settings.isBlocked = fields.isBlocked ?? settings.isBlocked
        return settings
    }

    private func setBudgets(_ fields: KeyFields, of id: String) async throws {
        let scope = Scope.key(id)
        let known = try await stores.budgets.list(scope: scope)
        let old = known.first { $0.isMaxBudget }
        switch (fields.maxBudget, fields.budgetPeriod) {
        case (.keep, .keep): break
        case (.remove, _):
            if let old { _ = try await stores.budgets.remove(scope: scope, unit: .usd, period: old.period) }
        case (let amount, let period):
            guard let limit = amount.value ?? old?.limit else {
                throw HTTPFailure.badRequest("budget_duration needs a max_budget.", param: "budget_duration")
            }
            let next: Period
            if case .keep = period { next = old?.period ?? .total } else { next = period.value ?? .total }
            // LiteLLM has no word for a zone: what `kdcube budget` gave the budget stays, where the new period has one.
            let zone = next.followsZone ? old?.zone : nil
            try await stores.budgets.set(Budget(scope: scope, unit: .usd, period: next, zone: zone, limit: limit))
            // After the new one is set: at no moment is the key without a cap.
            if let old, old.period != next { _ = try await stores.budgets.remove(scope: scope, unit: .usd, period: old.period) }
        }
        for (change, unit) in [(fields.tokensPerMinute, MeterUnit.tokens), (fields.requestsPerMinute, .requests)] {
            switch change {
            case .keep: break
            case .remove: _ = try await stores.budgets.remove(scope: scope, unit: unit, period: .minute)
            case .set(let limit): try await stores.budgets.set(Budget(scope: scope, unit: unit, period: .minute, limit: limit))
            }
        }
    }

    // MARK: Showing

    /// The members that `/key/generate` and `/key/info` share.
    func describe(_ key: APIKey, now: Milliseconds) async throws -> JSONObject {
        let scope = Scope.key(key.account)
        let budgets = try await stores.budgets.list(scope: scope)
        let money = budgets.first { $0.isMaxBudget }
        let window = money?.window(at: now)
        func limit(_ unit: MeterUnit) -> JSONValue {
            budgets.first { $0.model == nil && $0.unit == unit && $0.period == .minute }.map { .integer($0.limit) } ?? .null
        }
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        let spent = try await stores.ledger.sum(scope, from: window?.start ?? Milliseconds(.min), to: window?.end ?? Milliseconds(.max))
        let settings = key.settings
        return JSONObject([
            ("token", .string(key.id)), ("token_id", .string(key.id)), ("key_alias", text(settings.alias)), ("user_id", text(key.user)),
            ("team_id", .string(key.project)), ("organization_id", .string(key.org.text)),
            ("models", .array(settings.models.map { .string($0) })),
            ("max_budget", money.map { .number(NanoUSD($0.limit).decimalText) } ?? .null),
            ("budget_duration", text(money?.period.budgetDuration)),
            ("budget_reset_at", money?.period == .total ? .null : text(window?.end.rfc3339)),
            ("spend", .number(NanoUSD(spent.nanoUSD).decimalText)), ("tpm_limit", limit(.tokens)), ("rpm_limit", limit(.requests)),
            ("expires", text(settings.expiresAt?.rfc3339)), ("blocked", .bool(settings.isBlocked)),
            ("on_disconnect", text(settings.onDisconnect?.rawValue)),
            ("metadata", (try? JSONValue(parsing: settings.metadata)) ?? .object(JSONObject())),
            ("created_at", .string(key.createdAt.rfc3339)),
        ])
    }
}

extension Budget {
    /// LiteLLM knows one money budget a key, for all models and tools. Of several that `kdcube budget` made, the first listed stands for it.
    fileprivate var isMaxBudget: Bool { unit == .usd && model == nil }
}
