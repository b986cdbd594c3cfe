internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `/api/admin/orgs`, `projects` and `users`: who is who, before there is a key and after.
struct AdminTenantRoutes: Sendable {
    let stores: Stores

    func add(to group: RouterGroup<AppContext>) {
        for (kind, list, path) in [
            (Scope.Kind.org, "orgs", "orgs/:org"), (.project, "projects", "projects/:org/:project"),
            (.user, "users", "users/:org/:project/:user"),
        ] {
            group.get(RouterPath(list)) { try await self.list(kind, $0, $1) }
            group.get(RouterPath(path)) { try await self.show(kind, $1) }
            group.put(RouterPath(path)) { try await self.put(kind, $0, $1) }
        }
    }

    private func list(_ kind: Scope.Kind, _ request: Request, _ context: AppContext) async throws -> Response {
        let page = try AdminPage(request)
        let area = try AdminArea(request, context.principal)
        let found = try await stores.tenants.list(
            kind, org: area.org, project: kind == .user ? area.project : nil, after: page.cursor.isEmpty ? nil : page.cursor,
            limit: page.limit)
        return page.answer(found.map(\.row), next: found.count == page.limit ? found.last?.scope.id : nil)
    }

    private func show(_ kind: Scope.Kind, _ context: AppContext) async throws -> Response {
        guard let found = try await stores.tenants.find(AdminArea.scope(kind, in: context)) else {
            throw HTTPFailure.notFound("\(kind.rawValue) of that name")
        }
        return .json(.object(found.row))
    }

    /// Makes it, and what it stands in. `name` is for people; null takes it away.
    private func put(_ kind: Scope.Kind, _ request: Request, _ context: AppContext) async throws -> Response {
        let scope = try AdminArea.scope(kind, in: context)
        let name = try await Self.name(request)
        if kind == .org, try !context.principal.isOperator, try await stores.tenants.find(scope) == nil {
            throw HTTPFailure(
                .forbidden, code: "role_required", type: "permission_error",
                message: "To make an organisation needs a key with the role operator.")
        }
        let isNew = try await stores.tenants.put(scope, name: name, at: WallClock.now())
        guard let found = try await stores.tenants.find(scope) else { throw HTTPFailure.notFound("\(kind.rawValue) of that name") }
        return .json(.object(found.row), status: isNew ? .created : .ok)
    }

    private static func name(_ request: Request) async throws -> NameChange {
        let fields = try FieldReader(await JSONBody.readOrEmpty(request))
        try fields.allow(only: ["name"])
        let change = try fields.change("name") { value throws(HTTPFailure) in
            guard let text = value.stringValue, (1...StoreLimits.tenantNameBytes).contains(text.utf8.count),
                !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { throw fields.failure("name", "must be a line of 1 to \(StoreLimits.tenantNameBytes) bytes") }
            return text
        }
        return switch change {
        case .keep: .keep
        case .remove: .remove
        case .set(let text): .set(text)
        }
    }
}
