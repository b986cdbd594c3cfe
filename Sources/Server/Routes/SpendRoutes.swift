internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `/spend/logs` and `/global/spend`: the subset of LiteLLM's spend reports that drop-in use needs, from the ledger.
///
/// An admin sees its own organisation, an operator every one, and any other key itself.
struct SpendRoutes: Sendable {
    let stores: Stores
    let windows: WindowReader

    func add(to router: Router<AppContext>, _ refusals: RefusalMetricsMiddleware<AppContext>, _ authentication: AuthenticationMiddleware) {
        router.group("spend").add(middleware: refusals).add(middleware: authentication).get("logs", use: logs)
        router.group("global").add(middleware: refusals).add(middleware: authentication).add(middleware: AdminMiddleware())
            .get("spend", use: spend)
    }

    @Sendable private func logs(_ request: Request, context: AppContext) async throws -> Response {
        var parameters: [String: String] = [:]
        for (name, value) in request.uri.queryParameters where parameters[String(name)] == nil { parameters[String(name)] = String(value) }
        var query = try SpendLogQuery(parameters, now: WallClock.now())
        query.ledger.scope = try await scope(of: query, try context.principal)
        // What the counters have decided belongs to the answer; should they be away, the rest is still an answer.
        try? await windows.flush(query.ledger.scope)
        if query.isSummary, let from = query.ledger.from, let to = query.ledger.to {
            let charges = try await stores.ledger.days(query.ledger)
            guard charges.count <= StoreLimits.dayCharges else {
                throw HTTPFailure.badRequest("That is too much for one answer: ask for fewer days, or for one key.", param: "start_date")
            }
            return .json(SpendLog.summary(charges, from: from, to: to))
        }
        let page = try await stores.ledger.runs(query.ledger, before: query.cursor, limit: query.limit)
        var response = Response.json(.array(page.runs.map(SpendLog.row)))
        if let next = page.next { response.headers[.nextCursor] = String(next) }
        return response
    }

    private func scope(of query: SpendLogQuery, _ principal: Principal) async throws -> Scope? {
        guard let name = query.key else {
            return principal.isOperator ? nil : principal.isAdmin ? .org(principal.org) : .key(principal.payer)
        }
        // Also one that was revoked: what it spent is still to be looked up.
        let key =
            name.hasPrefix(APISecret.prefix)
            ? try await APISecret.hash(ofCredential: name).asyncFlatMap { try await stores.keys.find(hash: $0) }
            : try await stores.keys.find(id: name)
        guard let key, key.id == principal.keyID || principal.administers(org: key.org) else {
            throw HTTPFailure(.notFound, code: "key_not_found", message: "There is no such key.", param: "api_key")
        }
        return .key(key.account)
    }

    /// Of the last 30 days, as LiteLLM's; `max_budget` is the organisation's first money budget.
    @Sendable private func spend(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let orgs = principal.isOperator ? try await stores.keys.orgs() : [principal.org]
        let to = WallClock.now() + Milliseconds(1)
        var nano: Int64 = 0
        for org in orgs {
            try? await windows.flush(.org(org))
            nano += try await stores.ledger.sum(.org(org), from: to - SpendLogQuery.spanStandard, to: to).nanoUSD
        }
        let budgets = principal.isOperator ? [] : try await stores.budgets.list(scope: .org(principal.org))
        let limit = budgets.first { $0.unit == .usd && $0.model == nil }?.limit
        return .json([
            "spend": .number(NanoUSD(nano).decimalText), "max_budget": limit.map { .number(NanoUSD($0).decimalText) } ?? .null,
        ])
    }
}

extension Optional {
    fileprivate func asyncFlatMap<Value>(_ transform: (Wrapped) async throws -> Value?) async rethrows -> Value? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
