internal import JSON

/// What a client says to come back (R3): the members `pid` and `offset` of its CONNECT packet. Hostile until parsed.
struct RecoveryRequest: Sendable, Hashable {
    let pid: SessionID
    /// Nil when the client has seen no event since its CONNECT.
    let offset: RecoveryOffset?

    enum Reading: Hashable {
        /// A client that does not want to come back.
        case none
        case request(RecoveryRequest)
        case refused(RecoveryOutcome)
    }

    static func read(_ auth: JSONValue, _ form: RecoveryOffset.Form = .clock) -> Reading {
        guard let pid = auth["pid"], pid != .null else { return .none }
        guard let text = pid.stringValue, let pid = SessionID(text) else { return .refused(.unknownSocket) }
        switch auth["offset"] {
        case nil, .null?: return .request(RecoveryRequest(pid: pid, offset: nil))
        case .string(let text)?:
            guard let offset = RecoveryOffset(text, form) else { return .refused(.offsetUnknown) }
            return .request(RecoveryRequest(pid: pid, offset: offset))
        default: return .refused(.offsetUnknown)
        }
    }

    /// `auth` as handlers and other servers may see it: the secret is for nobody.
    static func strip(_ auth: JSONValue) -> JSONValue {
        guard case .object(var object) = auth else { return auth }
        object["pid"] = nil
        object["offset"] = nil
        return .object(object)
    }
}
