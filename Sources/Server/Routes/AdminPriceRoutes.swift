internal import Accounting
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `GET /api/admin/prices`, `GET /api/admin/prices/{model}`, `POST /api/admin/prices/reload`: the price table in force.
///
/// Prices belong to the server and to no tenant, so every admin reads them all.
struct AdminPriceRoutes: Sendable {
    let prices: PriceBook
    let models: ConfiguredModels

    func add(to group: RouterGroup<AppContext>) {
        group.get("prices", use: list)
        group.get("prices/:model", use: show)
        group.post("prices/reload", use: reload)
    }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let page = try AdminPage(request)
        let table = prices.table
        let names = (request.uri.queryParameters["configured"] == "true" ? models.entries.map(\.model.id).sorted() : table.modelNames)
            .filter { $0 > page.cursor }
        let shown = names.prefix(page.limit)
        return .json([
            "version": .string(table.version), "loaded_at": .integer(prices.loadedAt.rawValue),
            "data": .array(shown.map { table.json(of: $0) }),
            "cursor": names.count > shown.count ? shown.last.map { .string($0) } ?? .null : .null,
        ])
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        let name = try context.parameters.require("model").removingPercentEncoding ?? ""
        let table = prices.table
        guard table.pricing(for: name) != nil || models.entry(name) != nil else { throw HTTPFailure.notFound("model of that name") }
        return .json(table.json(of: name))
    }

    @Sendable private func reload(_ request: Request, context: AppContext) async throws -> Response {
        let before = prices.table.version
        let isNew: Bool
        do {
            isNew = try await prices.reload()
        } catch {
            throw HTTPFailure(
                .unprocessableContent, code: "price_file_invalid",
                message: "The price file was not taken, and the prices are as before: \(SettingsTree.oneLine("\(error)"))",
                headers: [.shouldRetry: "false"])
        }
        let table = prices.table
        return .json([
            "version": .string(table.version), "previous_version": .string(before), "changed": .bool(isNew),
            "models": .integer(Int64(table.count)),
        ])
    }
}

extension PriceTable {
    /// One model; `price` is null where there is none.
    func json(of model: String) -> JSONValue {
        ["model": .string(model), "version": .string(version), "price": pricing(for: model)?.json ?? .null]
    }
}
