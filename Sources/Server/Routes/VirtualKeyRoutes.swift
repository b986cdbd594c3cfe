internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `/key/generate`, `/key/info`, `/key/update`, `/key/delete`, `/key/block`, `/key/unblock`: the subset of LiteLLM's key
/// management that drop-in use needs (contract, *HTTP*). For admins; a key may ask about itself.
struct VirtualKeyRoutes: Sendable {
    /// Keys in one request to delete.
    static let keysMax = 100

    let keys: VirtualKeys

    init(stores: Stores) { keys = VirtualKeys(stores: stores) }

    func add(to group: RouterGroup<AppContext>) {
        group.get("info", use: info)
        let admin = group.group().add(middleware: AdminMiddleware())
        admin.post("generate", use: generate)
        admin.post("update", use: update)
        admin.post("delete", use: delete)
        admin.post("block") { try await self.set(blocked: true, $0, context: $1) }
        admin.post("unblock") { try await self.set(blocked: false, $0, context: $1) }
    }

    @Sendable private func generate(_ request: Request, context: AppContext) async throws -> Response {
        let reader = try FieldReader(await JSONBody.read(request))
        guard reader.value("key") == nil else {
            throw HTTPFailure(
                .badRequest, code: "unsupported_parameter", message: "Secrets are made here and cannot be brought along.", param: "key")
        }
        let now = WallClock.now()
        let made = try await keys.generate(KeyFields(reader), by: context.principal, now: now)
        var body = JSONObject([("key", .string(made.secret)), ("key_name", .string("kd-…\(made.secret.suffix(4))"))])
        for member in try await keys.describe(made.key, now: now).members { body[member.key] = member.value }
        return .json(.object(body))
    }

    @Sendable private func info(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let asked = request.uri.queryParameters["key"].map(String.init) ?? principal.keyID
        guard let key = try await keys.find(asked), key.id == principal.keyID || principal.administers(org: key.org) else {
            throw Self.absent
        }
        return .json(["key": .string(key.id), "info": .object(try await keys.describe(key, now: WallClock.now()))])
    }

    @Sendable private func update(_ request: Request, context: AppContext) async throws -> Response {
        let reader = try FieldReader(await JSONBody.read(request))
        let key = try await key(in: reader, context)
        let now = WallClock.now()
        try await keys.update(key, KeyFields(reader), by: context.principal, now: now)
        guard let changed = try await keys.find(key.id) else { throw Self.absent }
        var body = JSONObject([("key", .string(key.id))])
        for member in try await keys.describe(changed, now: now).members { body[member.key] = member.value }
        return .json(.object(body))
    }

    /// All of them or none: an unknown key refuses the request before any is revoked.
    @Sendable private func delete(_ request: Request, context: AppContext) async throws -> Response {
        let reader = try FieldReader(await JSONBody.read(request))
        if let extra = reader.object.members.first(where: { $0.key != "keys" && $0.value != .null }) {
            throw HTTPFailure(
                .badRequest, code: "unsupported_parameter", message: "Name the keys to delete as keys.", param: String(extra.key.prefix(64))
            )
        }
        let names = reader.value("keys")?.arrayValue?.compactMap(\.stringValue) ?? []
        guard (1...Self.keysMax).contains(names.count), names.count == reader.value("keys")?.arrayValue?.count else {
            throw reader.failure("keys", "must be an array of 1 to \(Self.keysMax) keys")
        }
        let principal = try context.principal
        var found: [APIKey] = []
        for name in names {
            guard let key = try await keys.find(name), principal.administers(org: key.org) else { throw Self.absent }
            found.append(key)
        }
        for key in found { _ = try await keys.stores.keys.revoke(id: key.id, author: principal.keyID, at: WallClock.now()) }
        return .json(["deleted_keys": .array(names.map { .string($0) })])
    }

    @Sendable private func set(blocked: Bool, _ request: Request, context: AppContext) async throws -> Response {
        let reader = try FieldReader(await JSONBody.read(request))
        let key = try await key(in: reader, context)
        try await keys.set(blocked: blocked, key, by: context.principal)
        return .json(["key": .string(key.id), "token": .string(key.id), "blocked": .bool(blocked)])
    }

    private func key(in reader: FieldReader, _ context: AppContext) async throws -> APIKey {
        guard let name = try reader.string("key", bytesMax: 128) else { throw reader.failure("key", "is needed: a key or its id") }
        guard let key = try await keys.find(name), try context.principal.administers(org: key.org) else { throw Self.absent }
        return key
    }

    /// Also for a key of another organisation.
    private static let absent = HTTPFailure(.notFound, code: "key_not_found", message: "There is no such key.", param: "key")
}
