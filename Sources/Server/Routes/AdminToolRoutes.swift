internal import Accounting
internal import Executor
internal import Hummingbird
internal import JSON
internal import Supervisor

/// `GET /api/admin/decisions`, `/decisions/{id}` and `/isolation`, `POST /api/admin/tools/{name}`: what was decided about calls, which tools are
/// switched off, and how well code is shut in. The catalog itself is with ``AdminCatalogRoutes``.
///
/// Decisions are those of the admin's own organisation; an operator names one with `org`.
struct AdminToolRoutes: Sendable {
    let stores: Stores
    /// Nil where the server has no tools.
    let room: ToolRoom?

    func add(to group: RouterGroup<AppContext>) {
        group.get("decisions", use: decisions)
        group.get("decisions/:id", use: decision)
        group.post("tools/:name", use: switchTool)
        group.get("isolation", use: isolation)
    }

    @Sendable private func decisions(_ request: Request, context: AppContext) async throws -> Response {
        let page = try AdminPage(request)
        let position = Int64(page.cursor)
        guard page.cursor.isEmpty || position != nil else { throw HTTPFailure.badRequest("cursor is none of ours.", param: "cursor") }
        let parameters = request.uri.queryParameters
        func text(_ name: String) -> String? { parameters[Substring(name)].map(String.init) }
        var filter = DecisionFilter(
            run: text("run"), tool: text("tool"), user: text("user"), rule: text("rule"), conversation: text("conversation"))
        for (name, path) in [("since", \DecisionFilter.since), ("until", \DecisionFilter.until)] {
            guard let value = text(name) else { continue }
            do { filter[keyPath: path] = try LedgerSelection.instant(value, name) } catch {
                throw HTTPFailure.badRequest("\(error.description).", param: name)
            }
        }
        if let text = text("kind") {
            guard let kind = ToolDecision.Kind(rawValue: text) else {
                let kinds = ToolDecision.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw HTTPFailure.badRequest("kind must be one of \(kinds).", param: "kind")
            }
            filter.kind = kind
        }
        if let text = parameters["decision"] {
            guard let verdict = ToolDecision.Verdict(rawValue: String(text)) else {
                throw HTTPFailure.badRequest("decision must be allow or deny.", param: "decision")
            }
            filter.decision = verdict
        }
        let found = try await stores.decisions.decisions(
            for: try reader(request, context), filter, before: position, limit: min(page.limit, DecisionLimits.page))
        return .json(["data": .array(found.decisions.map(\.json)), "cursor": found.next.map { .string(String($0)) } ?? .null])
    }

    @Sendable private func decision(_ request: Request, context: AppContext) async throws -> Response {
        let id = try context.parameters.require("id")
        guard let found = try await stores.decisions.decision(for: try reader(request, context), id: id) else {
            throw HTTPFailure(.notFound, code: "decision_not_found", message: "There is no such decision.", param: "id")
        }
        var object = found.json.objectValue ?? JSONObject()
        object["explanation"] = await room?.explanation(of: found) ?? .null
        return .json(.object(object))
    }

    private func reader(_ request: Request, _ context: AppContext) throws -> DecisionReader {
        .org(OrgHandle(org: try AdminArea.org(of: request, context.principal)))
    }

    /// `{"disabled": true, "reason": "…"}`: calls in flight go on, no other begins. The tools are the server's, so an operator's alone.
    @Sendable private func switchTool(_ request: Request, context: AppContext) async throws -> Response {
        try await switchTool(context.parameters.require("name"), JSONBody.read(request), context)
    }

    func switchTool(_ name: String, _ body: JSONValue, _ context: AppContext) async throws -> Response {
        let principal = try context.principal
        guard principal.isOperator else {
            throw HTTPFailure(
                .forbidden, code: "role_required", type: "permission_error",
                message: "Tools belong to the server: switching them needs a key with the role operator.")
        }
        guard let room, room.catalog[name] != nil else { throw HTTPFailure.notFound("tool of that name") }
        let fields = try FieldReader(body)
        guard let isOff = try fields.flag("disabled") else { throw fields.failure("disabled", "is needed: true or false") }
        let reason = try fields.string("reason", bytesMax: 500) ?? ""
        try await room.switches.set(name, isOff: isOff, by: principal.keyID, reason: reason)
        return .json(["name": .string(name), "disabled": room.switches.off(name)?.json ?? .null])
    }

    @Sendable private func isolation(_ request: Request, context: AppContext) async throws -> Response {
        guard let report = room?.host?.report else { return .json(["level": "none", "runs_code": false, "probes": []]) }
        let minimum = room?.minimum ?? .full
        var answer = JSONObject([
            ("level", .string(report.level.rawValue)), ("minimum", .string(minimum.rawValue)),
            ("runs_code", .bool(report.level >= minimum)),
            ("cgroups", .string(report.cgroups.rawValue)), ("landlock_abi", .integer(Int64(report.landlockABI))),
            ("probes", .array(report.probes.map(\.json))),
        ])
        // Sums over all organisations: their movement would tell an administrator what others do.
        if try context.principal.isOperator {
            let counted = room?.sandboxes?.json
            answer["pool"] = await room?.host?.census()?.json ?? .null
            answer["starts"] = counted?.starts ?? [:]
            answer["kills"] = counted?.kills ?? [:]
        }
        return .json(.object(answer))
    }
}

extension SandboxCensus {
    fileprivate var json: JSONValue {
        [
            "warm": .integer(Int64(warm)), "starting": .integer(Int64(starting)), "running": .integer(Int64(running)),
            "leaving": .integer(Int64(leaving)), "most": .integer(Int64(most)),
        ]
    }
}

extension ProbeResult {
    fileprivate var json: JSONValue {
        var object = JSONObject([
            ("name", .string(name)), ("passed", .bool(passed)), ("expected", .string(expected)), ("found", .string(found)),
        ])
        if let fix { object["fix"] = .string(fix) }
        return .object(object)
    }
}

extension ToolDefinition {
    /// Without what may hold secrets.
    var json: JSONValue {
        var object = JSONObject([
            ("name", .string(name)), ("description", .string(description)), ("effect", .string(effect.rawValue)),
            ("parameters", parameters), ("timeout_ms", .integer(timeout.wholeMilliseconds)),
            ("cost_usd", .string(NanoUSD(cost).decimalText)),
        ])
        if let correlate { object["correlate"] = .string(correlate) }
        if let roles { object["roles"] = .array(roles.sorted().map { .string($0) }) }
        switch adapter {
        case .builtin(let name): object["builtin"] = .string(name)
        case .http: object["kind"] = "http"
        case .mcp: object["kind"] = "mcp"
        }
        return .object(object)
    }
}

extension ToolSwitch {
    var json: JSONValue { ["by": .string(by), "reason": .string(reason), "at": .integer(at.rawValue)] }
}

extension RecordedDecision {
    var json: JSONValue {
        var object = JSONObject([
            ("id", .string(decision.id)), ("seq", .integer(seq)), ("at", .integer(decision.at.rawValue)),
            ("org", .string(decision.path.org.text)), ("project", .string(decision.path.project)), ("run", .string(decision.run)),
            ("call_id", .string(decision.callID)), ("source", .string(decision.source.rawValue)), ("tool", .string(decision.tool)),
            ("arguments_digest", .string(decision.argumentsDigest)), ("decision", .string(decision.decision.rawValue)),
            ("roles", .array(decision.roles.map { .string($0) })), ("kind", .string(decision.kind.rawValue)),
        ])
        let optional: [(String, String?)] = [
            ("user", decision.path.user), ("key", decision.path.key), ("parent_call_id", decision.parentCallID),
            ("arguments", decision.arguments), ("rule", decision.rule), ("code", decision.code), ("message", decision.message),
            ("conversation", decision.conversation), ("subject", decision.subject), ("approval", decision.approval),
        ]
        for (name, text) in optional { object[name] = text.map { .string($0) } }
        object["details"] = decision.details.flatMap { try? JSONValue(parsing: Array($0.utf8)) }
        if let outcome {
            object["outcome"] = [
                "status": .string(outcome.status.rawValue), "code": outcome.code.map { .string($0) } ?? .null,
                "result_digest": outcome.resultDigest.map { .string($0) } ?? .null, "bytes": .integer(outcome.bytes),
                "elapsed_ms": .integer(outcome.elapsed.rawValue), "at": .integer(outcome.at.rawValue),
            ]
        }
        return .object(object)
    }
}
