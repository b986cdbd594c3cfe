internal import Accounting
internal import Digest
internal import HTTPTypes
internal import Hummingbird
internal import JSON

/// Lets a POST that makes something happen once, however often it is sent: by the header `Idempotency-Key`.
///
/// What was answered is kept for a day, without the secret: that is shown once, and who lost it makes another key.
struct IdempotentWrites: Sendable {
    /// Longer than any of these writes takes. Who repeats later is told that nobody knows.
    private static let claim = Milliseconds(60_000)

    let store: any IdempotencyStore

    /// - Parameter act: checks before it changes anything: what it throws as an ``HTTPFailure`` frees the key.
    func once(
        _ request: Request, _ body: JSONValue, by principal: Principal, status: HTTPResponse.Status = .created,
        _ act: () async throws -> JSONObject
    ) async throws -> Response {
        guard let text = request.headers[.idempotencyKey] else { return .json(.object(try await act()), status: status) }
        guard (1...128).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw HTTPFailure.badRequest("Idempotency-Key must be 1 to 128 printable ASCII characters.", param: "Idempotency-Key")
        }
        // Calls of tools have keys too: these are told apart by what no agent writes.
        let key = try IdempotencyKey("admin " + Digest.hex(Digest.sha256(text.utf8)))
        let asked = "\(request.method.rawValue) \(request.uri.path)\n".utf8 + body.canonicalBytes
        let caller = CallerHandle(try TenancyPath(org: principal.org, project: principal.project, key: principal.keyID))
        switch try await store.begin(caller, key, digest: Digest.hex(Digest.sha256(Array(asked))), claim: Self.claim) {
        case .new(let claim):
            let made: JSONObject
            do { made = try await act() } catch let failure as HTTPFailure {
                _ = try? await store.abandon(claim)
                throw failure
            }
            var kept = made
            if kept["key"] != nil { kept["key"] = .null }
            _ = try? await store.finish(claim, outcome: JSONValue.object(kept).jsonBytes)
            return .json(.object(made), status: status)
        case .done(let bytes):
            guard var kept = (try? JSONValue(parsing: bytes))?.objectValue else { throw Self.unknown }
            kept["replayed"] = true
            return .json(.object(kept), status: status)
        case .conflict:
            throw HTTPFailure(
                .unprocessableContent, code: "idempotency_key_reused", message: "This Idempotency-Key was used for another request.",
                param: "Idempotency-Key")
        case .inFlight:
            throw HTTPFailure(
                .conflict, code: "idempotency_in_flight", message: "A request with this Idempotency-Key is under way. Ask again.",
                param: "Idempotency-Key", headers: [.retryAfter: "1"])
        case .unknown: throw Self.unknown
        case .full:
            throw HTTPFailure(
                .tooManyRequests, code: "rate_limit_exceeded", type: "rate_limit_error",
                message: "This key has used more idempotency keys than are kept for a day.", param: "Idempotency-Key",
                headers: [.retryAfter: "3600"])
        }
    }

    private static let unknown = HTTPFailure(
        .conflict, code: "idempotency_unknown",
        message: "A request with this Idempotency-Key was begun and its end is not known: look whether it happened.",
        param: "Idempotency-Key")
}

extension HTTPField.Name {
    static let idempotencyKey = known("idempotency-key")
}
