internal import Cedar
public import JSON

/// One rule of a set: a Cedar policy with its name and its obligations.
public struct PolicyRule: Sendable {
    public enum Effect: String, Sendable, Hashable, CaseIterable {
        case permit, forbid
    }

    public struct Annotation: Sendable, Hashable {
        public let name: String
        public let value: String
    }

    /// From `@id`, or `<file>#<n>`, counted from 1. Unique in the set.
    public let id: String
    public let file: String
    /// From 1: where the rule begins.
    public let line: Int
    public let column: Int
    public let effect: Effect
    /// In Cedar's canonical layout.
    public let text: String
    public let annotations: [Annotation]
    /// Whether it is only tried (`@shadow`).
    public let isShadow: Bool
    /// What a forbid tells the model.
    public let message: String?

    let policy: Policy
    /// The file's whole text, for clauses as they were written.
    let source: String
    let approval: ApprovalObligation?
    let limits: [LimitObligation]
    /// The limits for each tool that the rule's scope names.
    let bound: [String: [BoundLimit]]
    /// The tools that the scope names.
    let tools: Set<String>

    /// For pages and programs: `{"id", "file", "line", "effect", "text", "annotations": {…}, "shadow"}`.
    public var json: JSONValue {
        [
            "id": .string(id), "file": .string(file), "line": .integer(Int64(line)), "effect": .string(effect.rawValue),
            "text": .string(text), "annotations": .object(JSONObject(annotations.map { ($0.name, .string($0.value)) })),
            "shadow": .bool(isShadow),
        ]
    }

    /// Whether its scope asks for no caller and no project.
    var meansEveryone: Bool {
        guard case .any = policy.principal, case .any = policy.resource else { return false }
        return true
    }

    /// Whether it has no clause: its scope is all of it.
    var isUnconditional: Bool { policy.conditions.isEmpty }
}

extension PolicySchema {
    /// The tools that a scope names.
    func tools(of scope: Policy.ActionScope) -> [Tool] {
        func fits(_ tool: Tool, _ uid: EntityUID) -> Bool { actions.isEntity(tool.action, in: uid) }
        return switch scope {
        case .any: tools
        case .equal(let uid): tools.filter { $0.action == uid }
        case .in(let uid): tools.filter { fits($0, uid) }
        case .inList(let uids): tools.filter { tool in uids.contains { fits(tool, $0) } }
        }
    }
}

extension Policy.Scope {
    /// Whether an entity fits. No scope can be an error.
    func admits(_ uid: EntityUID, _ entities: Entities) -> Bool {
        switch self {
        case .any: true
        case .equal(.entity(let other)): uid == other
        case .in(.entity(let other)): entities.isEntity(uid, in: other)
        case .isType(let type): uid.type == type
        case .isTypeIn(let type, .entity(let other)): uid.type == type && entities.isEntity(uid, in: other)
        case .equal(.slot), .in(.slot), .isTypeIn(_, .slot): false
        }
    }
}
