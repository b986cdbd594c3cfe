internal import Accounting
internal import Hummingbird
internal import JSON

/// What requests that publish have in common.
extension FieldReader {
    func changedVersion() throws(HTTPFailure) -> String {
        guard let base = try identifier("base") else { throw failure("base", "is needed: the version that was changed") }
        return base
    }

    func reason() throws(HTTPFailure) -> String {
        guard let reason = try string("reason", bytesMax: PolicyStoreLimits.reasonBytes), !reason.trimmingSpaces.isEmpty,
            !reason.utf8.contains(0)
        else { throw failure("reason", "is needed: one sentence for the decision log") }
        return reason
    }

    /// `{"version", "reason", "base"?}`.
    ///
    /// - Parameter past: what once served by that name.
    func rollback<Draft>(
        of document: PublishedDocument, to past: (String) async throws -> Draft?
    ) async throws -> Proposal<Draft> {
        guard let version = try identifier("version") else { throw failure("version", "is needed") }
        let reason = try reason()
        guard let draft = try await past(version) else { throw HTTPFailure.notFound(document.words.version) }
        return Proposal(draft: draft, base: try identifier("base"), reason: reason, act: .rollback)
    }
}

extension PublishedDocument {
    /// - Throws: ``HTTPFailure`` for everybody but operators: the document is the server's, and no tenant's.
    func checkOperator(_ context: AppContext) throws {
        guard try context.principal.isOperator else {
            throw HTTPFailure(.forbidden, code: "role_required", type: "permission_error", message: words.operatorsOnly)
        }
    }

    func checkSetting(isOn: Bool) throws(HTTPFailure) {
        guard isOn else { throw HTTPFailure(.forbidden, code: "publishing_off", type: "permission_error", message: words.isOff) }
    }
}

extension Response {
    /// - Parameter more: what else is said of this kind of document.
    static func published<Content>(_ published: Published<Content>, _ more: (key: String, value: JSONValue)) -> Response {
        .json(
            .object(
                JSONObject([
                    ("version", .string(published.version)), ("previous_version", .string(published.previous)),
                    ("changed", .bool(published.isChange)), more,
                ])))
    }
}
