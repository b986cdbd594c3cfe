internal import Accounting
internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// What a caller may ask about models, its own budgets and its own conversations.
struct AccountRoutes: Sendable {
    let models: ConfiguredModels
    let prices: PriceBook
    let windows: WindowReader
    let stores: Stores

    func add(to group: RouterGroup<AppContext>) {
        group.get("models") { _, context in
            let principal = try context.principal
            let data = models.entries.filter { principal.mayCall($0.model.id) }.map(json)
            // OpenAI's list, and what Anthropic's clients look for to know that it is all of it.
            return Response.json([
                "object": "list", "data": .array(data), "has_more": false, "first_id": data.first?["id"] ?? .null,
                "last_id": data.last?["id"] ?? .null,
            ])
        }
        group.get("models/:id") { _, context in
            // Of a model that the key may not call it knows nothing, as the list has it.
            guard let entry = models.entry(try context.parameters.require("id")), try context.principal.mayCall(entry.model.id) else {
                throw HTTPFailure(.notFound, code: "model_not_found", message: "There is no such model.", param: "model")
            }
            return Response.json(json(entry))
        }
        group.get("quota", use: quota)
        group.get("conversations", use: list)
        group.get("conversations/:id", use: show)
        group.delete("conversations/:id", use: delete)
    }

    private func json(_ entry: ConfiguredModels.Entry) -> JSONValue { entry.json(prices.table.pricing(for: entry.model.id)) }

    @Sendable private func quota(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let path = try TenancyPath(org: principal.org, project: principal.project, user: principal.user, key: principal.payer)
        var found: [WindowSnapshot] = []
        do {
            for scope in path.scopes { found += try await windows.usage(of: scope).windows }
        } catch {
            throw HTTPFailure(
                .serviceUnavailable, code: "accounting_unavailable", type: "server_error",
                message: "The counters cannot be read right now. Try again.", headers: [.retryAfter: "1"])
        }
        var response = Response.json([
            "org": .string(principal.org.text), "project": .string(principal.project), "user": principal.user.map { .string($0) } ?? .null,
            "roles": .array(principal.roles.map { .string($0) }),
            "windows": .array(found.map(\.json)),
        ])
        response.headers.append(
            contentsOf: BudgetHeaders.fields(found.filter { $0.key.tool == nil }.map(WindowReport.init), now: WallClock.now()))
        return response
    }

    // MARK: Conversations

    private func table(_ context: AppContext) throws -> any ConversationArchive {
        stores.conversations(of: try ConversationOwner(of: context.principal.tenant))
    }

    @Sendable private func list(_ request: Request, context: AppContext) async throws -> Response {
        let limit = request.uri.queryParameters["limit"].flatMap { Int($0) } ?? 50
        let before = request.uri.queryParameters["cursor"].flatMap { Int64($0) }.map { Milliseconds($0) }
        guard (1...200).contains(limit) else { throw HTTPFailure.badRequest("limit must be from 1 to 200.", param: "limit") }
        let conversations = try await table(context).list(before: before, limit: limit)
        let next = conversations.count == limit ? conversations.last?.updatedAt.rawValue : nil
        return .json([
            "data": .array(
                conversations.map {
                    [
                        "id": .string($0.id), "title": .string($0.title), "created_at": .integer($0.createdAt.rawValue),
                        "updated_at": .integer($0.updatedAt.rawValue),
                    ]
                }), "cursor": next.map { .string(String($0)) } ?? .null,
        ])
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        let id = try context.parameters.require("id")
        let table = try table(context)
        guard let conversation = try await table.find(id) else { throw HTTPFailure.notFound("conversation of that id") }
        let turns = try await table.turns(of: id, limit: 200)
        return .json([
            "id": .string(conversation.id), "title": .string(conversation.title),
            "turns": .array(
                turns.map {
                    [
                        "turn_id": .string($0.turn), "run_id": .string($0.run), "user": .string($0.userText),
                        "assistant": .string($0.assistantText), "status": .string($0.status), "started_at": .integer($0.startedAt.rawValue),
                    ]
                }),
        ])
    }

    @Sendable private func delete(_ request: Request, context: AppContext) async throws -> Response {
        guard try await table(context).delete(context.parameters.require("id")) else {
            throw HTTPFailure.notFound("conversation of that id")
        }
        return Response(status: .noContent)
    }
}
