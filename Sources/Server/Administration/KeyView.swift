internal import Accounting
internal import JSON

extension APIKey {
    /// A row of `/api/admin/keys`. Never the secret, nor its hash.
    func row(at now: Milliseconds) -> JSONObject {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func instant(_ value: Milliseconds?) -> JSONValue { value.map { .integer($0.rawValue) } ?? .null }
        return JSONObject([
            ("id", .string(id)), ("account", .string(account)), ("org", .string(org.text)), ("project", .string(project)),
            ("user", text(user)),
            ("identity", text(identity)),
            ("roles", .array(roles.map { .string($0) })), ("alias", text(settings.alias)),
            ("models", .array(settings.models.map { .string($0) })), ("on_cut", .string(onCut.rawValue)),
            ("on_disconnect", text(settings.onDisconnect?.rawValue)),
            ("metadata", (try? JSONValue(parsing: settings.metadata)) ?? .object(JSONObject())), ("created_at", instant(createdAt)),
            ("expires_at", instant(settings.expiresAt)), ("revoked_at", instant(revokedAt)), ("blocked", .bool(settings.isBlocked)),
            ("last_used_at", instant(lastUsedAt)), ("kind", .string(kind.rawValue)), ("state", .string(state(at: now).rawValue)),
        ])
    }
}

extension TenantRecord {
    /// A row of `/api/admin/orgs`, `projects` and `users`.
    var row: JSONObject {
        var object = JSONObject()
        let names = scope.id.split(separator: "/").map(String.init)
        for (key, name) in zip(["org", "project", "user"], names) { object[key] = .string(name) }
        object["name"] = name.map { .string($0) } ?? .null
        object["created_at"] = .integer(createdAt.rawValue)
        if scope.kind == .org { object["projects"] = .integer(Int64(projects)) }
        object["keys"] = .integer(Int64(keys))
        return object
    }
}
