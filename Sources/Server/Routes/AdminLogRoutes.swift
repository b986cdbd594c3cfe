internal import Accounting
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import Logging

/// `GET|PUT /api/admin/log-level`: the least level of the lines that this server logs, changed while it runs.
///
/// The log belongs to the server and to no tenant: an operator's alone. The setting `log.level` holds again after a restart.
struct AdminLogRoutes: Sendable {
    let trail: AuditTrail
    var threshold = LogThreshold.shared

    func add(to group: RouterGroup<AppContext>) {
        group.get("log-level", use: show)
        group.put("log-level", use: change)
    }

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        try check(context)
        return answer()
    }

    /// `{"level"}`.
    @Sendable private func change(_ request: Request, context: AppContext) async throws -> Response {
        try check(context)
        let fields = try FieldReader(await JSONBody.read(request))
        guard let level = try fields.string("level", bytesMax: 16).flatMap({ Logger.Level(rawValue: $0) }) else {
            throw fields.failure("level", "must be one of \(LogThreshold.names.joined(separator: ", "))")
        }
        guard level != threshold.level else { return answer() }
        let details = JSONObject([("level", .string(level.rawValue)), ("was", .string(threshold.level.rawValue))])
        guard await trail.record(try AuditAuthor.current.act("log.level", in: AuditAuthor.noOrg, details)) != nil else {
            throw HTTPFailure(
                .serviceUnavailable, code: "log_unavailable", type: "server_error",
                message: "The change cannot be written into the decision log, so it is not made. Try again.", headers: [.retryAfter: "1"])
        }
        threshold.level = level
        return answer()
    }

    private func answer() -> Response {
        .json(["level": .string(threshold.level.rawValue), "levels": .array(LogThreshold.names.map { .string($0) })])
    }

    private func check(_ context: AppContext) throws {
        guard try context.principal.isOperator else {
            throw HTTPFailure(
                .forbidden, code: "role_required", type: "permission_error",
                message: "The log is the server's: its level needs a key with the role operator.")
        }
    }
}
