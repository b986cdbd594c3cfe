internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `/api/admin/keys`: made, listed, changed, exchanged, revoked. A key of another organisation is like one that does not exist.
struct AdminKeyRoutes: Sendable {
    /// A week: what has not taken the new key by then is not going to.
    static let graceSecondsMax: Int64 = 604_800

    let stores: Stores
    private let desk: KeyDesk
    private let writes: IdempotentWrites

    init(stores: Stores) {
        self.stores = stores
        desk = KeyDesk(stores: stores)
        writes = IdempotentWrites(store: stores.idempotency)
    }

    func add(to group: RouterGroup<AppContext>) {
        group.get("keys", use: list)
        group.post("keys", use: create)
        group.get("keys/:id", use: show)
        group.patch("keys/:id", use: change)
        group.delete("keys/:id", use: revoke)
        group.post("keys/:id/rotate", use: rotate)
    }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let page = try AdminPage(request)
        let area = try AdminArea(request, context.principal)
        var filter = KeyFilter(org: area.org, project: area.project, user: area.user)
        if let text = request.uri.queryParameters["state"], text != "all" {
            guard let state = APIKey.State(rawValue: String(text)) else {
                throw HTTPFailure.badRequest("state must be all, active, blocked, expired or revoked.", param: "state")
            }
            filter.state = state
        }
        let now = WallClock.now()
        let found = try await stores.keys.list(filter, at: now, after: page.cursor, limit: page.limit)
        return page.answer(found.map { $0.row(at: now) }, next: found.count == page.limit ? found.last?.id : nil)
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        .json(.object(try await key(context).row(at: WallClock.now())))
    }

    @Sendable private func create(_ request: Request, context: AppContext) async throws -> Response {
        let body = try await JSONBody.read(request)
        let now = WallClock.now()
        let principal = try context.principal
        let asked = try KeyCreation(FieldReader(body), by: principal, now: now)
        return try await writes.once(request, body, by: principal) {
            let made = try await desk.make(asked.draft, budgets: asked.budgets, at: now)
            return made.answer(at: now)
        }
    }

    @Sendable private func change(_ request: Request, context: AppContext) async throws -> Response {
        let fields = try FieldReader(await JSONBody.read(request))
        try fields.allow(only: KeyChanges.members)
        let changes = try KeyChanges(fields)
        let key = try await key(context)
        guard key.revokedAt == nil else { throw Self.revoked }
        let now = WallClock.now()
        guard let changed = try await desk.change(key.id, at: now, { $0 = changes.applied(to: $0) }) else { throw Self.absent }
        return .json(.object(changed.row(at: now)))
    }

    @Sendable private func rotate(_ request: Request, context: AppContext) async throws -> Response {
        let body = try await JSONBody.readOrEmpty(request)
        let fields = try FieldReader(body)
        try fields.allow(only: ["grace_seconds"])
        let grace = try fields.integer("grace_seconds", in: 0...Self.graceSecondsMax) ?? 0
        let key = try await key(context)
        // What is exchanged keeps its roles: nobody gets by it what nobody could give.
        guard try context.principal.isOperator || !key.roles.contains("operator") else {
            throw HTTPFailure(
                .forbidden, code: "role_not_grantable", type: "permission_error",
                message: "Only a key with the role operator can exchange one that has it.", param: "id")
        }
        let now = WallClock.now()
        return try await writes.once(request, body, by: context.principal) {
            guard let made = try await desk.rotate(key, grace: Milliseconds(grace * 1_000), at: now) else {
                throw HTTPFailure(
                    .conflict, code: "key_not_active", message: "Only an active key can be exchanged; this one is \(key.state(at: now)).",
                    param: "id")
            }
            var answer = made.answer(at: now)
            answer["replaces"] = .string(key.id)
            return answer
        }
    }

    /// Repeating it is safe.
    @Sendable private func revoke(_ request: Request, context: AppContext) async throws -> Response {
        let now = WallClock.now()
        guard let revoked = try await desk.revoke(key(context).id, at: now) else { throw Self.absent }
        return .json(.object(revoked.row(at: now)))
    }

    private func key(_ context: AppContext) async throws -> APIKey {
        let id = try context.parameters.require("id")
        guard (try? TenancyName.check(id)) != nil, let key = try await stores.keys.find(id: id),
            try context.principal.administers(org: key.org)
        else { throw Self.absent }
        return key
    }

    /// Also for a key of another organisation.
    private static let absent = HTTPFailure(.notFound, code: "key_not_found", message: "There is no such key.", param: "id")
    private static let revoked = HTTPFailure(
        .conflict, code: "key_revoked", message: "This key was revoked; that is for good.", param: "id")
}

extension KeyDesk.Made {
    /// The row, and the secret this once.
    func answer(at now: Milliseconds) -> JSONObject {
        var object = key.row(at: now)
        object["key"] = .string(secret)
        return object
    }
}
