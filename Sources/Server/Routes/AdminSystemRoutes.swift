internal import Accounting
internal import Executor
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import Logging
internal import Telemetry

/// `GET /api/admin/health` and `/config`, `POST /api/admin/drain`: how the servers are, with what they run, and that one is to stop.
struct AdminSystemRoutes: Sendable {
    let configuration: Configuration
    let live: LiveServer
    let stores: Stores
    let prices: PriceBook
    let models: ConfiguredModels
    let upstreams: UpstreamBook
    let tools: ToolRoom?
    let metrics: ServerMetrics
    let logger: Logger

    func add(to group: RouterGroup<AppContext>) {
        group.get("health", use: health)
        group.get("config", use: config)
        group.post("drain", use: drain)
    }

    @Sendable private func health(_ request: Request, context: AppContext) async throws -> Response {
        let view = await live.view()
        let principal = try context.principal
        // Sums over all organisations are the operator's: their movement tells an administrator what others do.
        let sums = principal.isOperator
        let states = await live.health.storeStates()
        let isolation: JSONValue =
            tools?.host?.report.map {
                ["level": .string($0.level.rawValue), "minimum": .string((tools?.minimum ?? .full).rawValue)]
            } ?? ["level": "none", "minimum": .string((tools?.minimum ?? .full).rawValue)]
        return .json([
            "version": .string(LiveServer.version), "node": .string(live.board.node), "problems": .array(view.problems.map { .string($0) }),
            "nodes": .array(view.reports.sorted { $0.node < $1.node }.map { $0.json(for: principal) }),
            "stores": .array(states.map(\.json)), "outbox_rows": sums ? .integer(Int64(live.health.outboxRows)) : .null,
            "settlements_pending": sums ? .integer(metrics.settlementsPending.value) : .null,
            "upstreams": .array(configuration.models.map { upstream($0, withSums: sums) }),
            "prices": ["version": .string(prices.table.version), "loaded_at": .integer(prices.loadedAt.rawValue)],
            "isolation": isolation, "log_level": .string(logger.logLevel.rawValue),
        ])
    }

    private func upstream(_ model: Configuration.Model, withSums sums: Bool) -> JSONValue {
        let record = upstreams.record(of: model.id)
        return [
            "model": .string(model.id), "provider": .string(model.provider.rawValue),
            "host": Self.host(of: model.baseURL).map { .string($0) } ?? .null, "calls": sums ? .integer(record.calls) : .null,
            "failures": sums ? .integer(record.failures) : .null, "last_failure_at": record.lastFailureAt.map { .integer($0) } ?? .null,
        ]
    }

    /// Without what may be a secret: scheme, user and path.
    static func host(of url: String) -> String? {
        guard let slashes = url.firstRange(of: "://") else { return nil }
        let authority = url[slashes.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        return host.isEmpty ? nil : String(host)
    }

    // MARK: Configuration

    /// As `kdcube check-config` prints it. Of other organisations an admin sees nothing.
    @Sendable private func config(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        var settings = configuration.masked
        if !principal.isOperator { settings = try await seen(settings, by: principal.org) }
        let yaml = (settings.objectValue?.members ?? []).map { "\($0.key): \($0.value.jsonText)\n" }.joined()
        return .json(["yaml": .string(yaml), "settings": settings])
    }

    private func seen(_ settings: JSONValue, by org: OrgID) async throws -> JSONValue {
        guard case .object(var object) = settings else { return .null }
        var budgets: [JSONValue] = []
        for budget in object["budgets"]?.arrayValue ?? [] {
            guard let scope = budget["scope"]?.stringValue.flatMap({ try? Scope($0) }) else { continue }
            var owner = scope.org
            if case .key(let id) = scope { owner = try await stores.keys.find(id: id)?.org }
            if owner == org { budgets.append(budget) }
        }
        object["budgets"] = .array(budgets)
        // Where the stores are concerns who runs them; that there are any, and their kind, is in `/health`.
        if case .object(var stores)? = object["stores"] {
            for name in ["data", "redis", "postgres"] where stores[name]?.stringValue?.isEmpty == false { stores[name] = .string("***") }
            object["stores"] = .object(stores)
        }
        if case .object(var approvals)? = object["approvals"], approvals["webhook"]?.stringValue?.isEmpty == false {
            approvals["webhook"] = "***"
            object["approvals"] = .object(approvals)
        }
        if case .object(var accounting)? = object["accounting"] {
            let slots = (accounting["slots"]?.objectValue?.members ?? []).filter { $0.key == org.text }
            accounting["slots"] = .object(JSONObject(slots.map { ($0.key, $0.value) }))
            object["accounting"] = .object(accounting)
        }
        return .object(object)
    }

    // MARK: Drain

    /// `{node?}`: this server, or another one of the store, which hears of it within five seconds.
    @Sendable private func drain(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        guard principal.isOperator else {
            throw HTTPFailure(
                .forbidden, code: "role_required", type: "permission_error",
                message: "Servers belong to nobody's organisation: draining one needs a key with the role operator.")
        }
        var node = live.board.node
        if request.headers[.contentLength].map({ $0 != "0" }) ?? false {
            node = try FieldReader(await JSONBody.read(request)).identifier("node") ?? node
        }
        if node == live.board.node {
            live.drain()
            return .json(["node": .string(node), "status": "draining"])
        }
        guard await live.view().reports.contains(where: { $0.node == node }), try await stores.nodes.drain(node) else {
            throw HTTPFailure.notFound("server of that name")
        }
        return .json(["node": .string(node), "status": "requested"], status: .accepted)
    }
}
