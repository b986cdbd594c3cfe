internal import JSON

/// What a decision rests on besides tool, arguments and caller, in the form of a question (``DecisionRequest/init(question:catalog:)``).
enum PolicyInputs {
    /// - Parameter withSession: whether the session's past is among it.
    static func json(of request: DecisionRequest, withSession: Bool) -> JSONObject {
        var run = JSONObject([("id", .string(request.caller.run))])
        run["conversation"] = request.caller.conversation.map { .string($0) }
        var inputs = JSONObject([
            ("source", .string(request.source.rawValue)), ("run", .object(run)), ("now", .string(UTCText.text(request.now))),
        ])
        guard withSession else { return inputs }
        let session = request.session
        inputs["history"] = steps(session.history)
        inputs["called"] = steps(session.called)
        inputs["approvals"] = steps(session.approvals)
        inputs["counts"] = .object(
            JSONObject(session.counts.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { ($0.key, .integer($0.value)) }))
        return inputs
    }

    /// In one order.
    static func steps(_ steps: Set<SessionState.Step>) -> JSONValue {
        .array(steps.sorted().map { .object(JSONObject([("tool", .string($0.tool)), ("key", .string($0.key))])) })
    }
}
