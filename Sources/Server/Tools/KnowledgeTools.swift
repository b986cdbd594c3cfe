internal import Accounting
internal import JSON
internal import Supervisor

/// `knowledge.search`: passages of the caller's project that hold words of the query.
struct KnowledgeSearchTool: ToolAdapter {
    /// What a model reads of a search that did not say how much it wants.
    private static let standardResults: Int64 = 5

    let knowledge: any KnowledgeStore

    func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue {
        let text = call.arguments["query"]?.stringValue ?? ""
        let most = Int64(KnowledgeLimits.results)
        let limit = Int(max(1, min(call.arguments["limit"]?.integerValue ?? Self.standardResults, most)))
        let passages: [KnowledgePassage]
        do {
            let project = try ProjectHandle(org: call.caller.org, project: call.caller.project)
            passages = try await knowledge.search(project, try KnowledgeQuery(text), limit: limit)
        } catch KnowledgeError.queryTooLong {
            throw ToolFailure(
                code: "bad_query", message: "A query has at most \(KnowledgeLimits.queryBytes) bytes.", hadNoEffect: true)
        } catch {
            throw ToolFailure(code: "knowledge_unavailable", message: "The documents cannot be searched now.", hadNoEffect: true)
        }
        return ["passages": .array(passages.map(\.json))]
    }
}

/// `memory.get` and `memory.set`: what is kept for the caller's user from one conversation to the next.
struct UserMemoryTool: ToolAdapter {
    enum Verb: Sendable { case get, set }

    let verb: Verb
    let memory: any UserMemoryStore

    func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue {
        guard let user = try? UserHandle(org: call.caller.org, project: call.caller.project, user: call.caller.user) else {
            throw ToolFailure(code: "no_user", message: "This key is bound to no user, so nothing is kept for one.", hadNoEffect: true)
        }
        do {
            let key = try UserMemoryKey(call.arguments["key"]?.stringValue ?? "")
            switch verb {
            case .get:
                let value = try await memory.get(user, key)
                return ["key": .string(key.text), "found": .bool(value != nil), "value": value?.json ?? .null]
            case .set:
                let value = try UserMemoryValue(call.arguments["value"] ?? .null)
                try await memory.set(user, key, value, at: WallClock.now())
                return ["key": .string(key.text), "kept": true]
            }
        } catch {
            throw Self.failure(error)
        }
    }

    private static func failure(_ error: UserMemoryError) -> ToolFailure {
        switch error {
        case .badKey:
            ToolFailure(
                code: "bad_key", message: "A key has 1 to \(KnowledgeLimits.memoryKeyBytes) bytes and no control characters.",
                hadNoEffect: true)
        case .valueTooLong, .notJSON:
            ToolFailure(
                code: "bad_value", message: "A value has at most \(KnowledgeLimits.memoryValueBytes) bytes of JSON.", hadNoEffect: true)
        case .tooManyKeys:
            ToolFailure(
                code: "memory_full", message: "This user has \(KnowledgeLimits.memoryKeys) keys already.", hadNoEffect: true)
        case .unavailable:
            // Whether a value was kept before the store was lost is not known.
            ToolFailure(code: "memory_unavailable", message: "The memory cannot be reached now.")
        }
    }
}
