internal import Digest
public import JSON

/// Remembers what came of calls that carry an idempotency key, for longer than any process lives.
public protocol IdempotencyStore: Sendable {
    /// Takes the key for this call, or says what stands in the way. Atomic: of two equal claims one is ``IdempotencyClaim/claimed``.
    func claim(_ call: IdempotentCall) async -> IdempotencyClaim

    /// Says what became of a call that was claimed; called once a claim. When it is never called, because the process died, later claims
    /// are ``IdempotencyClaim/unknown``.
    func settle(_ call: IdempotentCall, _ ending: IdempotencyEnding) async
}

/// A key and the call that it stands for.
public struct IdempotentCall: Sendable, Hashable {
    /// A key is a user's own, or the credential's where it has no user: nobody meets another's.
    public struct Key: Sendable, Hashable {
        public let org: OrgID
        public let project: String
        public let user: String
        /// Set where there is no user.
        public let credential: String?
        /// 1 to 128 bytes; opaque.
        public let text: String

        public init(org: OrgID, project: String, user: String, credential: String? = nil, text: String) {
            self.org = org
            self.project = project
            self.user = user
            self.credential = user.isEmpty ? credential : nil
            self.text = text
        }

        /// What a tool behind it all is told: callers who share an account there never meet. In hexadecimal.
        public var upstream: String {
            let owner: [String] = [org.text, project, user, credential ?? "", text]
            return Digest.hex(Digest.sha256(JSONValue.array(owner.map { .string($0) }).canonicalBytes))
        }
    }

    public let key: Key
    public let tool: String
    /// Of the arguments.
    public let digest: String

    public init(key: Key, tool: String, digest: String) {
        self.key = key
        self.tool = tool
        self.digest = digest
    }
}

public enum IdempotencyClaim: Sendable, Hashable {
    /// The key is this call's; it is settled afterwards.
    case claimed
    /// The same call was made: ``CallResult/stored``.
    case finished(JSONValue)
    /// The key stands for another tool or other arguments.
    case conflict
    /// The same call is being made somewhere.
    case inFlight
    /// The same call was made, and nobody knows what came of it.
    case unknown
    /// The store cannot be asked.
    case unavailable
}

public enum IdempotencyEnding: Sendable, Hashable {
    /// ``CallResult/stored``.
    case finished(JSONValue)
    /// It may have had an effect.
    case unknown
    /// It certainly had none: the key is free.
    case released
}
