internal import Cedar
internal import JSON

/// A question as Cedar has it.
struct CedarQuestion: Sendable {
    let request: Request
    let entities: Entities
}

/// What of a session's past policies look at: the rest is left empty, which spares turning thousands of steps into sets.
struct SessionUse: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    static let history = SessionUse(rawValue: 1)
    static let called = SessionUse(rawValue: 2)
    static let approvals = SessionUse(rawValue: 4)
    static let counts = SessionUse(rawValue: 8)
    static let all: SessionUse = [.history, .called, .approvals, .counts]

    private static let names: [ExactString: SessionUse] = [
        "history": .history, "called": .called, "approvals": .approvals, "counts": .counts,
    ]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// What an expression mentions. The context as a whole is everything.
    init(of expression: Expr) {
        var use: SessionUse = []
        for part in expression.subexpressions {
            switch part.kind {
            case .attribute(let name):
                if part.children[0].kind == .variable(.context), let known = Self.names[name] { use.insert(known) }
            case .has(let path):
                if part.children[0].kind == .variable(.context), let known = Self.names[path[0]] { use.insert(known) }
            case .variable, .literal, .slot: break
            default:
                // Anything but the two above may look at all of it: `context == {…}`.
                if part.children.contains(where: { $0.kind == .variable(.context) }) { use = .all }
            }
            if use == .all { break }
        }
        if expression.kind == .variable(.context) { use = .all }
        self = use
    }
}

extension PolicySchema {
    /// The question in Cedar's words; nil for a tool that the catalog has not, and for arguments that do not fit its schema.
    func question(_ request: DecisionRequest, reading use: SessionUse) -> CedarQuestion? {
        guard let tool = byName[request.tool.name], let args = try? ArgumentShape.record(tool.fields, request.arguments) else { return nil }
        let caller = request.caller
        let run: [ExactString: Value] = [
            "id": .string(ExactString(caller.run)), "conversation": .string(ExactString(caller.conversation ?? "")),
            "source": request.source == .model ? Self.model : Self.code,
        ]
        guard let run = Value.Record(run),
            let context = Value.Record([
                "args": .record(args), "run": .record(run),
                "history": use.contains(.history) ? Self.steps(request.session.history) : Self.noSteps,
                "called": use.contains(.called) ? Self.steps(request.session.called) : Self.noSteps,
                "approvals": use.contains(.approvals) ? Self.steps(request.session.approvals) : Self.noSteps,
                "counts": use.contains(.counts) ? Self.counts(tools, request.session.counts) : noCounts,
                "now": .datetime(Value.Datetime(milliseconds: request.now)),
            ])
        else { return nil }
        return question(caller, action: tool.action, context: context)
    }

    /// A question about the name alone.
    func question(_ caller: CallerIdentity, action: EntityUID, context: Value.Record = .empty) -> CedarQuestion? {
        // Or two projects could have one name: no org's name has a slash, and the Server lets no such project in.
        guard !caller.project.utf8.contains(UInt8(ascii: "/")) else { return nil }
        let place = "\(caller.org)/\(caller.project)"
        let org = Self.uid(Self.orgType, caller.org.text)
        let project = Self.uid(Self.projectType, place)
        let principal = Self.uid(Self.userType, "\(place)/\(caller.user)")
        var parents: Set<EntityUID> = [project, org]
        for role in caller.roles { parents.insert(Self.uid(Self.roleType, role)) }
        let attributes: [ExactString: Value] = [
            "org": .string(ExactString(caller.org.text)), "project": .string(ExactString(caller.project)),
            "user": .string(ExactString(caller.user)),
        ]
        guard let attributes = Value.Record(attributes) else { return nil }
        let added = [
            Entity(uid: principal, attributes: attributes, parents: parents), Entity(uid: project, parents: [org]), Entity(uid: org),
        ]
        guard let entities = try? actions.adding(added) else { return nil }
        return CedarQuestion(
            request: Request(principal: principal, action: action, resource: project, context: context), entities: entities)
    }

    private static let model = Value.string("model")
    private static let code = Value.string("code")

    private static let noSteps: Value = {
        guard let empty = Value.Elements([Value]()) else { preconditionFailure("an empty set is not deep") }
        return .set(empty)
    }()

    private static func steps(_ steps: Set<SessionState.Step>) -> Value {
        let records = steps.compactMap { step in
            Value.Record(["tool": .string(ExactString(step.tool)), "key": .string(ExactString(step.key))]).map(Value.record)
        }
        return Value.Elements(records).map(Value.set) ?? noSteps
    }

    static func counts(_ tools: [Tool], _ counts: [String: Int64]) -> Value {
        var fields: [ExactString: Value] = [:]
        fields.reserveCapacity(tools.count)
        for tool in tools { fields[tool.action.id] = .long(counts[tool.definition.name] ?? 0) }
        return Value.Record(fields).map(Value.record) ?? .record(.empty)
    }
}
