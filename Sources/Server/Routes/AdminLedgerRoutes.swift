internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `GET /api/admin/ledger`: rows of the ledger as pages of JSON, or with `?format=csv` or `jsonl` all of them as a stream.
///
/// An admin sees its own organisation, an operator every one.
struct AdminLedgerRoutes: Sendable {
    let stores: Stores
    let windows: WindowReader

    func add(to group: RouterGroup<AppContext>) {
        group.get("ledger", use: list)
    }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let parameters = request.uri.queryParameters
        let query = try await query(request, principal)
        // What the counters have decided belongs to the answer; should they be away, the rest is still an answer.
        try? await windows.flush(query.scope)
        if let text = parameters["format"], text != "json" {
            guard let format = LedgerFormat(rawValue: String(text)) else {
                throw HTTPFailure.badRequest("format must be json, csv or jsonl.", param: "format")
            }
            return stream(query, as: format)
        }
        let page = try AdminPage(request)
        let position = Int64(page.cursor)
        guard page.cursor.isEmpty || position != nil else { throw HTTPFailure.badRequest("cursor is none of ours.", param: "cursor") }
        let found = try await stores.ledger.rows(query, after: position, limit: page.limit)
        return .json(["data": .array(found.rows.map(\.json)), "cursor": found.next.map { .string(String($0)) } ?? .null])
    }

    private func query(_ request: Request, _ principal: Principal) async throws -> LedgerQuery {
        func text(_ name: Substring) -> String? { request.uri.queryParameters[name].map(String.init) }
        var query: LedgerQuery
        do throws(LedgerSelection.Failure) {
            query = try LedgerSelection(scope: text("scope"), run: text("run"), from: text("from"), to: text("to")).query
        } catch {
            throw HTTPFailure.badRequest("\(error.description).", param: error.field)
        }
        guard !principal.isOperator else {
            if let scope = query.scope { query.scope = try await windows.payer(of: scope) }
            return query
        }
        let scope = query.scope ?? .org(principal.org)
        guard try await windows.org(of: scope) == principal.org else {
            throw HTTPFailure.scopeDenied(param: "scope")
        }
        // Charges stand under the account, which has any of its keys' names.
        query.scope = try await windows.payer(of: scope)
        return query
    }

    private func stream(_ query: LedgerQuery, as format: LedgerFormat) -> Response {
        let ledger = stores.ledger
        return Response(
            status: .ok,
            headers: [
                .contentType: format.contentType, .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"ledger.\(format.rawValue)\"",
            ],
            body: ResponseBody { writer in
                if !format.head.isEmpty { try await writer.write(ByteBuffer(string: format.head)) }
                var position: Int64?
                repeat {
                    let page = try await ledger.rows(query, after: position, limit: StoreLimits.page)
                    if !page.rows.isEmpty { try await writer.write(ByteBuffer(string: format.text(page.rows))) }
                    position = page.next
                } while position != nil
                try await writer.finish(nil)
            })
    }
}
