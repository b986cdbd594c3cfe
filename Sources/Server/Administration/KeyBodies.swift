internal import Accounting
internal import HTTPTypes
internal import JSON

/// What a body of `POST /api/admin/keys` asks for.
struct KeyCreation: Sendable {
    static let members: Set<String> = [
        "org", "project", "user", "identity", "roles", "alias", "models", "on_cut", "on_disconnect", "metadata", "expires_at",
        "service_account", "budgets",
    ]
    /// Roles of one key: more is no set of roles but a mistake.
    static let rolesMax = 32
    /// Budgets of one key that come with it: every unit in some windows.
    static let budgetsMax = 20

    let draft: KeyDraft
    let budgets: [KeyBudget]

    init(_ fields: FieldReader, by admin: Principal, now: Milliseconds) throws(HTTPFailure) {
        try fields.allow(only: Self.members)
        let org = try fields.name("org").map { name throws(HTTPFailure) in try AdminArea.org(name) } ?? admin.org
        var draft = KeyDraft(
            org: try AdminArea.administered(org, by: admin, param: "org"),
            project: try AdminArea.checked(fields.name("project") ?? "", key: "project"))
        (draft.user, draft.identity) = (try fields.name("user"), try fields.name("identity"))
        draft.roles = try Self.roles(fields)
        guard admin.isOperator || !draft.roles.contains("operator") else {
            throw HTTPFailure(
                .forbidden, code: "role_not_grantable", type: "permission_error",
                message: "Only a key with the role operator can give the role operator.", param: "roles")
        }
        if let text = try fields.string("on_cut", bytesMax: 16) {
            guard let onCut = APIKey.OnCut(rawValue: text) else { throw fields.failure("on_cut", "must be error or finish") }
            draft.onCut = onCut
        }
        if try fields.flag("service_account") ?? false { draft.kind = .serviceAccount }
        let changes = try KeyChanges(fields)
        if let end = changes.expiresAt.value, end <= now { throw fields.failure("expires_at", "must be in the future") }
        draft.settings = changes.applied(to: KeySettings())
        self.draft = draft
        budgets = try Self.budgets(fields)
    }

    private static func roles(_ fields: FieldReader) throws(HTTPFailure) -> [String] {
        guard let value = fields.value("roles") else { return [] }
        let roles = value.arrayValue?.compactMap(\.stringValue) ?? []
        guard let items = value.arrayValue, roles.count == items.count, roles.count <= rolesMax, Set(roles).count == roles.count,
            roles.allSatisfy({ (try? TenancyName.check($0)) != nil })
        else { throw fields.failure("roles", "must be an array of at most \(rolesMax) different names") }
        return roles
    }

    private static func budgets(_ fields: FieldReader) throws(HTTPFailure) -> [KeyBudget] {
        guard let value = fields.value("budgets") else { return [] }
        guard let items = value.arrayValue, items.count <= budgetsMax else {
            throw fields.failure("budgets", "must be an array of at most \(budgetsMax) budgets")
        }
        var budgets: [KeyBudget] = []
        for (index, item) in items.enumerated() {
            let reader = try FieldReader(item, prefix: "budgets.\(index).")
            try reader.allow(only: BudgetBody.members.subtracting(["scope"]))
            let budget = try BudgetBody.keyBudget(reader)
            // Only the key's name is not known yet.
            do { _ = try budget.budget(of: "key") } catch { throw HTTPFailure(error, prefix: reader.prefix) }
            budgets.append(budget)
        }
        return budgets
    }
}

/// What a body asks to change of a key.
struct KeyChanges: Sendable {
    static let members: Set<String> = ["alias", "models", "blocked", "expires_at", "on_disconnect", "metadata"]

    let alias: FieldChange<String>
    let models: [String]?
    let isBlocked: Bool?
    let expiresAt: FieldChange<Milliseconds>
    let onDisconnect: FieldChange<KeySettings.OnDisconnect>
    let metadata: String?

    init(_ fields: FieldReader) throws(HTTPFailure) {
        alias = try fields.change("alias") { value throws(HTTPFailure) in
            guard let text = value.stringValue, (1...StoreLimits.keyAliasBytes).contains(text.utf8.count) else {
                throw fields.failure("alias", "must be a string of 1 to \(StoreLimits.keyAliasBytes) bytes")
            }
            return text
        }
        // Null takes them away: all models, no metadata.
        models = fields.object["models"] == .null ? [] : try KeyFields.models(fields)
        metadata = fields.object["metadata"] == .null ? "{}" : try KeyFields.metadata(fields)
        isBlocked = try fields.flag("blocked")
        expiresAt = try fields.instant("expires_at")
        onDisconnect = try fields.change("on_disconnect") { value throws(HTTPFailure) in
            guard let policy = value.stringValue.flatMap(KeySettings.OnDisconnect.init) else {
                throw fields.failure("on_disconnect", "must be stop or drain")
            }
            return policy
        }
    }

    func applied(to old: KeySettings) -> KeySettings {
        var settings = old
        alias.apply(to: &settings.alias)
        expiresAt.apply(to: &settings.expiresAt)
        onDisconnect.apply(to: &settings.onDisconnect)
        settings.models = models ?? settings.models
        settings.metadata = metadata ?? settings.metadata
        settings.isBlocked = isBlocked ?? settings.isBlocked
        return settings
    }
}

/// A budget in a body.
enum BudgetBody {
    static let members: Set<String> = ["scope", "unit", "window", "limit", "model", "tool", "zone"]

    /// A budget's owner, where an operator says whose it is to be; an operator's own word otherwise. An administrator speaks for its
    /// organisation.
    static func owner(_ fields: FieldReader, by principal: Principal) throws(HTTPFailure) -> Budget.Owner {
        guard let text = try fields.string("owner", bytesMax: 16) else { return principal.budgetAuthor }
        guard let owner = Budget.Owner(rawValue: text) else { throw fields.failure("owner", "must be org or operator") }
        guard owner == .org || principal.isOperator else { throw .operatorOwned }
        return owner
    }

    static func keyBudget(_ fields: FieldReader) throws(HTTPFailure) -> KeyBudget {
        func text(_ key: String) throws(HTTPFailure) -> String? { try fields.string(key, bytesMax: 256) }
        guard let unit = try text("unit") else { throw fields.failure("unit", "is needed: \(MeterUnit.list)") }
        guard let window = try text("window") else { throw fields.failure("window", "is needed: minute, hour, day, week, month or total") }
        return KeyBudget(
            model: try text("model"), tool: try text("tool"), unit: unit, window: window, zone: try text("zone") ?? "",
            limit: try limit(fields))
    }

    /// Money is a decimal string; a number is taken as it was written.
    private static func limit(_ fields: FieldReader) throws(HTTPFailure) -> String {
        guard let value = fields.value("limit") else { throw fields.failure("limit", "is needed") }
        guard let text = value.stringValue ?? value.numberText, text.utf8.count <= 64 else {
            throw fields.failure("limit", "must be a decimal string of dollars, or a whole number")
        }
        return text
    }
}

extension Principal {
    /// On whose word it changes budgets.
    var budgetAuthor: Budget.Owner { isOperator ? .operator : .org }
}

extension HTTPFailure {
    /// A budget that an operator has set, or one that only an operator may set.
    static let operatorOwned = HTTPFailure(
        .forbidden, code: "operator_owned", type: "permission_error",
        message: "This budget is the operator's: only a key with the role operator changes or removes it. A budget of your own in another "
            + "unit or window, or of a narrower scope, holds beside it.", param: "scope")

    init(_ error: BudgetError, prefix: String = "") {
        self = .badRequest("\(prefix)\(error.description).", param: prefix + error.field.rawValue)
    }
}
