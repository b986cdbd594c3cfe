internal import JSON
internal import JWT
internal import NIOHTTP1
internal import Traces
internal import Transport

/// Who connects to a namespace: the handshake's `auth` has `token` or `bearer_token`, and hints that may only repeat what the credential
/// says.
struct SocketCredential: Sendable {
    let authenticator: Authenticator

    /// - Throws: the refusal as `CONNECT_ERROR` tells it.
    func caller(of handshake: Handshake) async throws(ConnectRefusal) -> Caller {
        do throws(HTTPFailure) {
            let fields = try FieldReader(handshake.auth.objectValue == nil ? [:] : handshake.auth, prefix: "auth.")
            let token = try fields.string("token", bytesMax: JWTLimits.tokenBytesMax)
            let bearer = try fields.string("bearer_token", bytesMax: JWTLimits.tokenBytesMax)
            let hints = try TenantHints(tenant: fields.string("tenant", bytesMax: 256), project: fields.string("project", bytesMax: 256))
            let session = try fields.string("user_session_id", bytesMax: 256)
            do throws(Authenticator.Failure) {
                let principal = try await authenticator.authenticate(token ?? bearer, hints: hints)
                let hash = (token ?? bearer).flatMap { APISecret.hash(ofCredential: $0) }
                let trace = handshake.headers.first(name: "traceparent").flatMap {
                    TraceContext(traceparent: $0, state: handshake.headers["tracestate"].joined(separator: ","))
                }
                return Caller(principal: principal, keyHash: hash, userSessionID: session, trace: trace)
            } catch {
                throw HTTPFailure(error)
            }
        } catch {
            throw ConnectRefusal(
                message: error.message, data: ["code": .string(error.code == "invalid_api_key" ? "unauthorized" : error.code)])
        }
    }
}
