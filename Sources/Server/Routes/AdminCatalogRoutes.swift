internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import Supervisor

/// `GET /api/admin/tools`, `/tools/{name}` of a version, `PUT /api/admin/tools`, `POST /api/admin/tools/check`, `/rollback`: the catalog of tools is
/// shown, tried, and another put into the place of the one in force.
///
/// The catalog belongs to the server and to no tenant: every admin sees the tools, only an operator sees how they are made, and changes them.
struct AdminCatalogRoutes: Sendable {
    /// Tools that are changed in one request: a hand's work, not an import; that is the whole text.
    private static let editsMax = 64
    private static let versionsShown = 50

    let room: ToolRoom?
    let tools: AdminToolRoutes

    func add(to group: RouterGroup<AppContext>) {
        group.get("tools", use: show)
        group.put("tools", use: publish)
        group.post("tools/check", use: check)
        group.post("tools/rollback", use: rollBack)
        group.get("tools/:name", use: version)
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        guard let room else { return .json(["data": [], "publish": "off", "version": .null]) }
        let (standing, isOperator) = (room.catalogs.standing, try context.principal.isOperator)
        let text = try? ToolText(standing.file.text)
        let data = standing.file.catalog.tools.enumerated().map { index, tool -> JSONValue in
            var object = tool.json.objectValue ?? JSONObject()
            object["disabled"] = room.switches.off(tool.name)?.json
            guard isOperator, let entry = text?.entries[index] else { return .object(object) }
            object["fault"] = standing.faults[tool.name].map { .string($0) }
            object["source"] = .object(ToolReference.masked(entry.value))
            return .object(object)
        }
        var answer = JSONObject([
            ("data", .array(data)), ("version", .string(standing.file.version)),
            ("publish", .string(room.catalogs.configuration.publish.rawValue)), ("loaded_at", .integer(standing.loadedAt.rawValue)),
        ])
        guard isOperator else { return .json(.object(answer)) }
        let hasSecret = text?.entries.contains { ToolReference.hasSecret($0.value) } ?? true
        answer["file"] = .string(room.catalogs.name)
        // A secret that stands in the file in clear is nobody's to read here.
        answer["text"] = hasSecret ? .null : .string(standing.file.text)
        answer["builtins"] = .array(BuiltinTool.allCases.map { .string($0.rawValue) })
        answer["variables"] = .array(room.catalogs.configuration.variables.sorted().map { .string($0) })
        answer["failure"] =
            standing.failure.map { ["at": .integer($0.at.rawValue), "findings": .array($0.findings.map(\.json))] } ?? .null
        let versions = try await room.catalogs.publisher.versions.versions(of: .tools, limit: Self.versionsShown)
        answer["versions"] = .array(
            versions.map {
                [
                    "version": .string(String($0.version.dropFirst(PolicyVersionKind.toolsPrefix.count))),
                    "loaded_at": .integer($0.at.rawValue),
                ]
            })
        return .json(.object(answer))
    }

    /// The text of a version that was once in force.
    @Sendable private func version(_ request: Request, context: AppContext) async throws -> Response {
        let room = try operated(context)
        let version = try context.parameters.require("name")
        guard let text = try await room.catalogs.publisher.past(version) else {
            throw HTTPFailure.notFound(PublishedDocument.tools.words.version)
        }
        return .json(["version": .string(version), "text": .string(text)])
    }

    /// `{"text"}` or `{"edits": [{"name", "tool"}]}`: what would be said about it, and the text as it would be.
    @Sendable private func check(_ request: Request, context: AppContext) async throws -> Response {
        let body = try await JSONBody.read(request)
        if let answer = try await switched("check", body, context) { return answer }
        let room = try operated(context)
        let draft = try Self.draft(FieldReader(body))
        let inForce = room.catalogs.standing.file
        do throws(PublishError) {
            let checked = try await room.catalogs.check(draft, against: inForce)
            let findings = checked.fitted.map { PolicyCheck.findings($0.bundle) } ?? []
            let before = room.policies.map { PolicyCheck.findings($0.decider.current) } ?? []
            return .json([
                "ok": true, "version": .string(checked.file.version), "base": .string(inForce.version),
                "text": .string(checked.file.text), "changes": checked.changes.json,
                // What the policies say already is not this change's.
                "findings": .array(findings.filter { !before.contains($0) }.map(\.json)),
            ])
        } catch .refused(let findings) {
            return .json([
                "ok": false, "version": .null, "base": .string(inForce.version), "text": .null,
                "changes": ["made": [], "changed": [], "removed": []], "findings": .array(findings.map(\.json)),
            ])
        } catch {
            throw HTTPFailure(error, of: .tools)
        }
    }

    /// `{"text" or "edits", "base", "reason"}`.
    @Sendable private func publish(_ request: Request, context: AppContext) async throws -> Response {
        let room = try publisher(context)
        let fields = try FieldReader(await JSONBody.read(request))
        let base = try fields.changedVersion()
        let draft = try Self.draft(fields)
        return try await publish(Proposal(draft: draft, base: base, reason: fields.reason(), act: .publish), room)
    }

    /// `{"version", "reason", "base"?}`: the text of a version that once served.
    @Sendable private func rollBack(_ request: Request, context: AppContext) async throws -> Response {
        let body = try await JSONBody.read(request)
        if let answer = try await switched("rollback", body, context) { return answer }
        let room = try publisher(context)
        let proposal = try await FieldReader(body).rollback(of: .tools) { version in
            try await room.catalogs.publisher.past(version).map { CatalogRoom.Draft.text($0) }
        }
        return try await publish(proposal, room)
    }

    private func publish(_ proposal: Proposal<CatalogRoom.Draft>, _ room: ToolRoom) async throws -> Response {
        let published: Published<ToolChanges>
        do throws(PublishError) {
            published = try await room.catalogs.publish(proposal, room.put)
        } catch { throw HTTPFailure(error, of: .tools) }
        return .published(published, ("changes", published.content.json))
    }

    /// A tool may have the name of one of these addresses; then a body with `disabled` is about its switch.
    private func switched(_ name: String, _ body: JSONValue, _ context: AppContext) async throws -> Response? {
        guard body["disabled"] != nil else { return nil }
        return try await tools.switchTool(name, body, context)
    }

    private func operated(_ context: AppContext) throws -> ToolRoom {
        try PublishedDocument.tools.checkOperator(context)
        guard let room else { throw HTTPFailure.notFound(PublishedDocument.tools.words.absent.here) }
        return room
    }

    private func publisher(_ context: AppContext) throws -> ToolRoom {
        let room = try operated(context)
        try PublishedDocument.tools.checkSetting(isOn: room.catalogs.configuration.publish != .off)
        return room
    }

    private static func draft(_ fields: FieldReader) throws(HTTPFailure) -> CatalogRoom.Draft {
        try fields.allow(only: ["text", "edits", "base", "reason"])
        let (text, edits) = (try fields.string("text", bytesMax: ToolsFile.fileBytesMax), fields.value("edits"))
        switch (text, edits) {
        case (let text?, nil): return .text(text)
        case (nil, let edits?):
            guard let list = edits.arrayValue, (1...editsMax).contains(list.count) else {
                throw fields.failure("edits", "must be 1 to \(editsMax) of {name, tool}")
            }
            var read: [ToolEdit] = []
            for (index, value) in list.enumerated() {
                guard let object = value.objectValue, object.members.allSatisfy({ $0.key == "name" || $0.key == "tool" }),
                    let name = object["name"]?.stringValue, let tool = object["tool"], tool == .null || tool.objectValue != nil
                else { throw fields.failure("edits[\(index)]", "must be {name, tool}; tool is an object, or null to remove it") }
                read.append(ToolEdit(name: name, tool: tool.objectValue))
            }
            return .edits(read)
        default: throw fields.failure("text", "is needed, or edits: one of them")
        }
    }
}
