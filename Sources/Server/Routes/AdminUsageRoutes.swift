internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `GET /api/admin/usage`: sums by organisation, project, user, key, model or tool, over time, and where a budget is heading.
struct AdminUsageRoutes: Sendable {
    /// The longest span of each step (days): a quarter, and a week with a day to compare.
    private static let spanDays: [SpendQuery.Step: Int64] = [.day: 92, .hour: 8]

    let stores: Stores
    let windows: WindowReader

    func add(to group: RouterGroup<AppContext>) {
        group.get("usage", use: usage)
    }

    @Sendable private func usage(_ request: Request, context: AppContext) async throws -> Response {
        let now = WallClock.now()
        let query = try await query(request, context.principal, now)
        let isCSV = try isCSV(request)
        // What the counters have decided belongs to the answer; should they be away, the rest is still an answer.
        try? await windows.flush(query.scope)
        let cells = try await stores.ledger.spend(query)
        let report = SpendReport(query, cells, totals: try await totals(query, cells))
        if isCSV {
            return Response(
                status: .ok,
                headers: [
                    .contentType: LedgerFormat.csv.contentType, .cacheControl: "no-store",
                    .contentDisposition: "attachment; filename=\"usage.csv\"",
                ], body: ResponseBody(byteBuffer: ByteBuffer(string: report.csv)))
        }
        var budgets: [Budget] = []
        if let scope = query.scope { budgets = try await stores.budgets.list(scope: scope) }
        let snapshots = try await windows.windows(of: budgets)
        return .json(report.json(windows: snapshots.rows(budgets), forecast: Self.forecast(budgets, snapshots, now)))
    }

    private func isCSV(_ request: Request) throws(HTTPFailure) -> Bool {
        switch request.uri.queryParameters["format"] {
        case nil, "json": return false
        case "csv": return true
        default: throw .badRequest("format must be json or csv.", param: "format")
        }
    }

    private func query(_ request: Request, _ principal: Principal, _ now: Milliseconds) async throws -> SpendQuery {
        func text(_ name: Substring) -> String? { request.uri.queryParameters[name].map(String.init) }
        let area = try AdminArea(request, principal)
        let scope = try await text("scope").asyncMap { try await AdminArea.scope($0, by: principal, windows) } ?? area.scope
        guard let step = SpendQuery.Step(rawValue: text("step") ?? "day") else {
            throw HTTPFailure.badRequest("step must be hour or day.", param: "step")
        }
        guard let by = SpendDimension(rawValue: text("by") ?? (scope == nil ? "org" : "project")) else {
            throw HTTPFailure.badRequest("by must be org, project, user, key, model or tool.", param: "by")
        }
        func instant(_ name: Substring) throws(HTTPFailure) -> Milliseconds? {
            do { return try LedgerSelection.instant(text(name), String(name)) } catch {
                throw .badRequest("\(error.description).", param: String(name))
            }
        }
        let days = Self.spanDays[step] ?? 1
        let to = try instant("to") ?? now + Milliseconds(1)
        let from = try instant("from") ?? max(Milliseconds(0), to - Milliseconds((step == .day ? 30 : 1) * 86_400_000))
        guard from < to, (to - from).rawValue <= days * 86_400_000,
            let query = SpendQuery(scope: scope, from: from, to: to, by: by, step: step)
        else {
            throw HTTPFailure.badRequest("from and to must be at most \(days) days apart for steps of a \(step.rawValue).", param: "from")
        }
        return query
    }

    /// Of everything in the scope and the span, whatever the report is divided by.
    private func totals(_ query: SpendQuery, _ cells: [SpendCell]) async throws -> LedgerSum {
        if let scope = query.scope { return try await stores.ledger.sum(scope, from: query.from, to: query.to) }
        var whole = cells
        if query.by != .org, let all = SpendQuery(scope: nil, from: query.from, to: query.to, by: .org, step: query.step) {
            whole = try await stores.ledger.spend(all)
        }
        return whole.reduce(into: LedgerSum()) { $0.add($1.sum) }
    }

    /// Of the first money budget with a period.
    private static func forecast(_ budgets: [Budget], _ snapshots: [WindowSnapshot], _ now: Milliseconds) -> JSONValue {
        guard
            let (budget, window) = zip(budgets, snapshots).first(where: { $0.0.unit == .usd && $0.0.model == nil && $0.0.period != .total })
        else { return .null }
        let start = budget.window(at: now).start
        let forecast = SpendForecast(used: window.used, limit: window.cap, start: start, end: window.end, now: now)
        return [
            "unit": .string(budget.unit.rawValue), "window": .string(budget.period.rawValue), "limit": budget.unit.json(window.cap),
            "used": budget.unit.json(window.used), "at_end": budget.unit.json(forecast?.atEnd ?? window.used),
            "spent_at": forecast?.spentAt.map { .integer($0.rawValue) } ?? .null, "resets_at": .integer(window.end.rawValue),
        ]
    }
}

extension Optional {
    /// As ``Optional/map(_:)``, of what has to wait.
    func asyncMap<Value>(_ transform: (Wrapped) async throws -> Value) async rethrows -> Value? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
