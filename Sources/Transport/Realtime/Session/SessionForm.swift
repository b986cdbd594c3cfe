package import TransportWire

/// What a session's client speaks (L1, L3). Fixed by the request that opens the session.
package struct SessionForm: Sendable, Hashable {
    package let revision: EngineIORevision
    /// Revision 3 over polling: the client takes no bytes, so binary packets come as base64 (`b64=1`).
    package let isBase64: Bool

    /// Nil when the server does not speak it. Where it speaks revision 3, every `EIO` but 4 means that, and none too (L1).
    init?(_ query: EngineQuery, allowsRevision3: Bool) {
        if query.revision == "4" {
            revision = .four
        } else {
            guard allowsRevision3, !query.repeatsRevision else { return nil }
            revision = .three
        }
        isBase64 = query.isBase64
    }
}
