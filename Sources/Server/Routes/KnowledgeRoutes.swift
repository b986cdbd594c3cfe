internal import Accounting
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// `/v1/knowledge`: the documents of the caller's project, and the search in them (contract, *HTTP*).
struct KnowledgeRoutes: Sendable {
    let knowledge: any KnowledgeStore
    let trail: AuditTrail

    func add(to group: RouterGroup<AppContext>) {
        group.get("knowledge", use: searchOrList)
        group.put("knowledge/:doc", use: put)
        group.get("knowledge/:doc", use: show)
        group.delete("knowledge/:doc", use: delete)
    }

    @Sendable private func put(_ request: Request, context: AppContext) async throws -> Response {
        let (project, id) = try (handle(context), id(context))
        let body = try await DocumentBody.read(request)
        let principal = try context.principal
        do { try body.hints.check(against: principal) } catch {
            trail.mismatch(error, of: principal)
            throw HTTPFailure.tenantMismatch(error)
        }
        let put = try await answering { () async throws(KnowledgeError) in
            try await knowledge.put(
                project, try KnowledgeDocument(id: id, title: body.title, text: body.text), at: WallClock.now())
        }
        var object = put.entry.object
        object["outcome"] = .string(put.outcome.rawValue)
        return .json(.object(object), status: put.outcome == .created ? .created : .ok)
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        let (project, id) = try (handle(context), id(context))
        let found = try await answering { () async throws(KnowledgeError) in try await knowledge.find(project, id) }
        guard let found else { throw Self.absent }
        var object = found.entry.object
        object["text"] = .string(found.text)
        return .json(.object(object))
    }

    @Sendable private func delete(_ request: Request, context: AppContext) async throws -> Response {
        let (project, id) = try (handle(context), id(context))
        let isGone = try await answering { () async throws(KnowledgeError) in try await knowledge.delete(project, id) }
        guard isGone else { throw Self.absent }
        return Response(status: .noContent)
    }

    /// With `q` a search, without a list of documents.
    @Sendable private func searchOrList(_ request: Request, context: AppContext) async throws -> Response {
        let query = request.uri.queryParameters
        let project = try handle(context)
        guard let text = query["q"] else {
            let limit = try limit(request, in: 1...KnowledgeLimits.page, standard: 50)
            let entries = try await answering { () async throws(KnowledgeError) in
                let cursor = try query["cursor"].map { text throws(KnowledgeError) in try KnowledgeID(String(text)) }
                return try await knowledge.list(project, after: cursor, limit: limit)
            }
            let next = entries.count == limit ? entries.last?.id.text : nil
            return .json(["data": .array(entries.map { .object($0.object) }), "cursor": next.map { .string($0) } ?? .null])
        }
        let limit = try limit(request, in: 1...KnowledgeLimits.results, standard: 5)
        let passages = try await answering { () async throws(KnowledgeError) in
            try await knowledge.search(project, try KnowledgeQuery(String(text)), limit: limit)
        }
        return .json(["data": .array(passages.map(\.json))])
    }

    // MARK: What a request says

    private func handle(_ context: AppContext) throws -> ProjectHandle { try ProjectHandle(of: context.principal.tenant) }

    private func id(_ context: AppContext) throws -> KnowledgeID {
        let text = try context.parameters.require("doc").removingPercentEncoding ?? ""
        do { return try KnowledgeID(text) } catch { throw HTTPFailure(error) }
    }

    private func limit(_ request: Request, in range: ClosedRange<Int>, standard: Int) throws(HTTPFailure) -> Int {
        guard let text = request.uri.queryParameters["limit"] else { return standard }
        guard let limit = Int(text), range.contains(limit) else {
            throw .badRequest("limit must be from \(range.lowerBound) to \(range.upperBound).", param: "limit")
        }
        return limit
    }

    private func answering<Value>(_ body: () async throws(KnowledgeError) -> Value) async throws(HTTPFailure) -> Value {
        do { return try await body() } catch { throw HTTPFailure(error) }
    }

    private static let absent = HTTPFailure(.notFound, code: "not_found", message: "There is no such document.", param: "doc")
}

extension KnowledgeEntry {
    var object: JSONObject {
        JSONObject([
            ("doc", .string(id.text)), ("title", .string(title)), ("bytes", .integer(Int64(bytes))),
            ("passages", .integer(Int64(passages))),
            ("updated_at", .integer(updatedAt.rawValue)),
        ])
    }
}

extension KnowledgePassage {
    var json: JSONValue {
        [
            "doc": .string(document.text), "title": .string(title), "text": .string(text), "position": .integer(Int64(position)),
            "score": .integer(Int64(score)),
        ]
    }
}
