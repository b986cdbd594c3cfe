internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `/api/admin/budgets`: with what is used, held and free now; set, removed, and tried before they are set.
struct AdminBudgetRoutes: Sendable {
    /// Runs of one preview that are named; of more it is enough to know that there are many.
    private static let cutsMax = 1_000

    let stores: Stores
    let windows: WindowReader
    let live: LiveServer

    func add(to group: RouterGroup<AppContext>) {
        group.get("budgets", use: list)
        group.put("budgets", use: put)
        group.delete("budgets", use: remove)
        group.post("budgets/preview", use: preview)
    }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let page = try AdminPage(request)
        let area = try AdminArea(request, context.principal)
        if let text = request.uri.queryParameters["scope"] {
            let scope = try await AdminArea.scope(String(text), by: context.principal, windows)
            let budgets = try await stores.budgets.list(scope: scope)
            return page.answer(try await windows.windows(of: budgets).rows(budgets), next: nil)
        }
        var after: BudgetName?
        if !page.cursor.isEmpty {
            after = BudgetName(parts: page.cursor.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
            guard after != nil else { throw HTTPFailure.badRequest("cursor is none of ours.", param: "cursor") }
        }
        let budgets = try await stores.budgets.page(org: area.org, after: after, limit: page.limit)
        let next = budgets.count == page.limit ? budgets.last.map { BudgetName($0).parts.joined(separator: "\n") } : nil
        return page.answer(try await windows.windows(of: budgets).rows(budgets), next: next)
    }

    @Sendable private func put(_ request: Request, context: AppContext) async throws -> Response {
        let (budget, known) = try await budget(request, context)
        guard let set = try await stores.budgets.set(budget, by: context.principal.budgetAuthor) else { throw HTTPFailure.operatorOwned }
        guard var row = try await windows.window(of: set, isSet: true)?.row(of: set) else { throw Self.absent }
        row["created"] = .bool(known == nil)
        return .json(.object(row), status: known == nil ? .created : .ok)
    }

    @Sendable private func remove(_ request: Request, context: AppContext) async throws -> Response {
        let query = request.uri.queryParameters
        func text(_ name: Substring) -> String? { query[name].map(String.init) }
        let scope = try await AdminArea.scope(text("scope") ?? "", by: context.principal, windows)
        let named: Budget
        do throws(BudgetError) {
            // The limit is not part of a budget's name; zero stands in to have the rest checked.
            named = try Budget(
                scope: scope.text, model: text("model"), tool: text("tool"), unit: text("unit") ?? "", period: text("window") ?? "",
                limit: "0")
        } catch { throw HTTPFailure(error) }
        let author = try context.principal.budgetAuthor
        switch try await stores.budgets.remove(scope: scope, model: named.model, unit: named.unit, period: named.period, by: author) {
        case .removed: return .json(["removed": true])
        case .absent: throw Self.absent
        case .kept: throw HTTPFailure.operatorOwned
        }
    }

    /// What the limit would do now to what runs, on whichever server; nothing is changed.
    @Sendable private func preview(_ request: Request, context: AppContext) async throws -> Response {
        let (budget, known) = try await budget(request, context)
        let isSet = known?.zone == budget.zone && known != nil
        guard let window = try await windows.window(of: isSet ? budget.like(known) : budget, isSet: isSet) else { throw Self.absent }
        let unit = budget.unit
        let isSpent = window.headroom <= 0
        let cut = isSpent && unit.endsRuns ? await live.view().streams(.all).filter { budget.covers($0) } : []
        return .json([
            "scope": .string(budget.scope.text), "unit": .string(unit.rawValue), "window": .string(budget.period.rawValue),
            "used": unit.json(window.used), "held": unit.json(window.held), "suspense": unit.json(window.suspense),
            "limit": unit.json(budget.limit), "resets_at": window.resetsAt.map { .integer($0.rawValue) } ?? .null,
            "would_refuse": .bool(isSpent), "would_cut": .array(cut.prefix(Self.cutsMax).map(\.brief)),
        ])
    }

    /// The budget of a body, and the one that is set under its name.
    private func budget(_ request: Request, _ context: AppContext) async throws -> (Budget, known: Budget?) {
        let fields = try FieldReader(await JSONBody.read(request))
        try fields.allow(only: BudgetBody.members.union(["owner"]))
        guard let text = try fields.string("scope", bytesMax: 512) else { throw fields.failure("scope", "is needed") }
        let scope = try await AdminArea.scope(text, by: context.principal, windows)
        let asked = try BudgetBody.keyBudget(fields)
        let owner = try BudgetBody.owner(fields, by: context.principal)
        var budget: Budget
        do throws(BudgetError) {
            budget = try Budget(
                scope: scope.text, model: asked.model, tool: asked.tool, unit: asked.unit, period: asked.window, zone: asked.zone,
                limit: asked.limit, owner: owner)
        } catch { throw HTTPFailure(error) }
        let known = try await stores.budgets.list(scope: scope).first {
            $0.model == budget.model && $0.unit == budget.unit && $0.period == budget.period
        }
        // Whoever changes a limit does not say when its windows begin; null says UTC.
        if fields.object["zone"] == nil, let zone = known?.zone {
            budget = try Budget(
                scope: scope, model: budget.model, unit: budget.unit, period: budget.period, zone: zone, limit: budget.limit,
                owner: budget.owner)
        }
        return (budget, known)
    }

    private static let absent = HTTPFailure.notFound("such budget")
}

extension MeterUnit {
    /// Whether a run that lives is cut when a window of it is spent. Requests and runs are admitted or not; a call is refused.
    fileprivate var endsRuns: Bool {
        switch self {
        case .usd, .tokens, .inputTokens, .outputTokens: true
        case .requests, .runs, .calls: false
        }
    }
}

extension Budget {
    fileprivate func covers(_ run: StreamRow) -> Bool {
        guard let path = try? TenancyPath(org: run.org, project: run.project, user: run.user, key: run.key), path.scopes.contains(scope),
            tool == nil
        else { return false }
        return model == nil || model == run.model
    }

    /// With the version of the one that is set, so that the counters' figures are its own.
    fileprivate func like(_ known: Budget?) throws(BudgetError) -> Budget {
        guard let known else { return self }
        return try Budget(
            scope: scope, model: model, unit: unit, period: period, zone: zone, limit: limit, version: known.version,
            generation: known.generation)
    }
}

extension WindowSnapshot {
    /// A row of `/api/admin/budgets`.
    func row(of budget: Budget) -> JSONObject {
        var object = json.objectValue ?? JSONObject()
        object["free"] = key.unit.json(max(0, headroom))
        object["owner"] = .string(budget.owner.rawValue)
        return object
    }
}

extension [WindowSnapshot] {
    /// Rows of the windows of these budgets, in their order.
    func rows(_ budgets: [Budget]) -> [JSONObject] { zip(self, budgets).map { $0.row(of: $1) } }
}

extension StreamRow {
    fileprivate var brief: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        return [
            "run_id": .string(run), "org": .string(org.text), "project": .string(project), "user": text(user), "key": text(key),
            "model": .string(model), "started_at": .integer(startedAt), "output_tokens": .integer(outputTokens),
            "cost_usd": .string(cost.decimalText), "node": .string(node),
        ]
    }
}
