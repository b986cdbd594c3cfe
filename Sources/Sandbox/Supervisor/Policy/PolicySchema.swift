internal import Cedar
internal import Digest
internal import JSON

/// The tools of a catalog as Cedar sees them: the schema that policies are validated against, and what turns a question into Cedar's
/// request.
///
/// | Cedar | is |
/// | --- | --- |
/// | principal | `User::"org/project/user"`, in each `Role` of the caller, in its `Project` and its `Org` |
/// | action | `Action::"<tool>"`, in `Action::"effect:read"` or `Action::"effect:write"` |
/// | resource | `Project::"org/project"`, in its `Org` |
/// | context | `args`, `run`, `history`, `called`, `approvals`, `counts`, `now` |
///
/// Made once for a catalog. A value that is safe to use from anywhere.
public struct PolicySchema: Sendable {
    /// One tool.
    struct Tool: Sendable {
        let definition: ToolDefinition
        let action: EntityUID
        let fields: [ArgumentShape.Field]
        /// The schema that arguments without secrets fit.
        let visible: SchemaNode
    }

    let schema: Schema
    /// In the order of the catalog.
    let tools: [Tool]
    /// The same by their names.
    let byName: [String: Tool]
    let actions: Entities
    /// No tool was called.
    let noCounts: Value
    private let source: String
    /// SHA-256 over all of the catalog that a decision depends on.
    let digest: String

    /// - Throws: ``PolicyLoadError`` where Cedar has no place for the catalog, which its limits alone can bring about.
    public init(_ catalog: ToolCatalog) throws(PolicyLoadError) {
        let tools = catalog.tools.map(Tool.init)
        let builder = Self.builder(tools)
        do {
            schema = try builder.schema()
            source = try builder.text()
            actions = try Entities(Self.actionEntities(tools))
        } catch {
            throw PolicyLoadError([PolicyFinding(.error, "schema", message: "The tools cannot be written as a Cedar schema: \(error)")])
        }
        self.tools = tools
        noCounts = Self.counts(tools, [:])
        byName = Dictionary(tools.map { ($0.definition.name, $0) }) { first, _ in first }
        let roles = catalog.tools.map { tool in
            JSONValue.array([.string(tool.name), tool.roles.map { .array($0.sorted().map { .string($0) }) } ?? .null])
        }
        digest = Digest.hex(Digest.sha256(JSONValue.array([.string(source), .array(roles)]).canonicalBytes))
    }

    /// The schema in Cedar's text form, for people who use Cedar's own tools.
    public func text() -> String { source }

    // MARK: - Names

    static let userType = type("User")
    static let roleType = type("Role")
    static let projectType = type("Project")
    static let orgType = type("Org")
    static let actionType = type("Action")

    private static func type(_ name: String) -> TypeName {
        guard let type = TypeName(name) else { preconditionFailure("\(name) is a name") }
        return type
    }

    static func group(_ effect: ToolDefinition.Effect) -> String { "effect:\(effect.rawValue)" }

    // MARK: - Building

    private static func builder(_ tools: [Tool]) -> SchemaBuilder {
        var builder = SchemaBuilder()
        builder.entity("Org")
        builder.entity("Project", in: ["Org"])
        builder.entity("Role")
        let attributes: [SchemaAttribute] = [.required("org", .string), .required("project", .string), .required("user", .string)]
        builder.entity("User", in: ["Role", "Project", "Org"], attributes: attributes)
        builder.type("Step", .record([.required("tool", .string), .required("key", .string)]))
        builder.type("Run", .record([.required("id", .string), .required("conversation", .string), .required("source", .string)]))
        builder.type("Counts", .record(tools.map { .required($0.definition.name, .long) }))
        for effect in ToolDefinition.Effect.allCases { builder.actionGroup(group(effect)) }
        for tool in tools {
            builder.action(
                tool.definition.name, in: [group(tool.definition.effect)], principals: ["User"], resources: ["Project"],
                context: [
                    .required("args", ArgumentShape.record(tool.fields).type), .required("run", .named("Run")),
                    .required("history", .set(.named("Step"))), .required("called", .set(.named("Step"))),
                    .required("approvals", .set(.named("Step"))), .required("counts", .named("Counts")), .required("now", .datetime),
                ])
        }
        return builder
    }

    private static func actionEntities(_ tools: [Tool]) -> [Entity] {
        let groups = ToolDefinition.Effect.allCases.map { Entity(uid: uid(actionType, group($0))) }
        return groups
            + tools.map { Entity(uid: $0.action, parents: [uid(actionType, group($0.definition.effect))]) }
    }

    static func uid(_ type: TypeName, _ id: String) -> EntityUID { EntityUID(type: type, id: ExactString(id)) }
}

extension PolicySchema.Tool {
    init(_ definition: ToolDefinition) {
        self.definition = definition
        action = PolicySchema.uid(PolicySchema.actionType, definition.name)
        if case .record(let fields)? = ArgumentShape(definition.schema.root) { self.fields = fields } else { fields = [] }
        visible = definition.schema.root.withoutSecrets
    }
}
