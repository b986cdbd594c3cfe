internal import Digest
internal import JSON

/// A question to people about one call: who asked, what exactly would be done, who may answer, and what they said. A value; only
/// ``ApprovalMachine`` changes it.
public struct Approval: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        case pending, approved, denied
        /// Nobody decided in time. It names no human: silence is no answer.
        case expired
        /// Nobody needs the answer any longer.
        case cancelled
        /// The policies ask for other approvers now.
        case superseded

        /// Nothing changes it any more.
        public var isFinal: Bool { self != .pending }
    }

    public enum Answer: String, Sendable, Hashable, CaseIterable {
        case approve, deny
    }

    /// What one approver said.
    public struct Vote: Sendable, Hashable {
        /// The person, whatever accounts they have; see ``Approver/identity``.
        public let identity: String
        public let user: String
        /// The credential that it came through.
        public let key: String?
        public let answer: Answer
        /// Cleaned of control characters, and at most ``SupervisorLimits/approvalReasonBytesMax``; may be empty of an approval.
        public let reason: String
        /// Milliseconds since 1970-01-01T00:00Z.
        public let at: Int64
        /// As whom: the entries of the demand that they are, `group:finance`, without repetition, sorted.
        public let standing: [String]
        /// A program's vote, which is never the last one that counts.
        public let isAgent: Bool

        public init(
            identity: String, user: String, key: String?, answer: Answer, reason: String, at: Int64, standing: [String], isAgent: Bool
        ) {
            self.identity = identity
            self.user = user
            self.key = key
            self.answer = answer
            self.reason = reason
            self.at = at
            self.standing = standing
            self.isAgent = isAgent
        }
    }

    /// `apr_` and 20 characters of the URL-safe alphabet.
    public let id: String
    /// Whose call it is about, and in which session.
    public let question: ApprovalQuestion
    /// The person who asks, whatever accounts they have; the user where that is not known.
    public let identity: String
    /// The API key that the run was started with.
    public let key: String?
    public let run: String
    public let callID: String
    /// The thing that the call is about, as in the decision log; nil of a tool without one.
    public let subject: String?
    /// The arguments that will be used, without secrets: canonical JSON.
    public let arguments: String
    /// Random, so that no binding is ever made twice.
    public let nonce: String
    /// SHA-256, in hexadecimal, of what the approval is good for: ``binding(of:policy:nonce:)``.
    public let binding: String
    /// The version of the policies that ask; empty of a decider that has none.
    public let policy: String
    public let demand: ApprovalDemand
    /// Milliseconds since 1970-01-01T00:00Z, as are the others.
    public let createdAt: Int64
    /// From then on nobody may answer, and no call may use it.
    public let expiresAt: Int64
    public internal(set) var state: State
    /// In the order in which they came.
    public internal(set) var votes: [Vote]
    /// When it became final.
    public internal(set) var endedAt: Int64?
    /// The decision that used it up; an approval is good for one call.
    public internal(set) var usedBy: String?
    /// Until then somebody says that they wait for it, and no other call may take it over.
    public internal(set) var waitedUntil: Int64
    /// Grows by one with each change, from 1.
    public internal(set) var version: Int64

    /// A new question: pending, without votes.
    ///
    /// - Parameters:
    ///   - identity: of the person who asks; the user where it is not known.
    ///   - arguments: without secrets; canonical JSON.
    ///   - now: milliseconds since 1970-01-01T00:00Z.
    public init(
        about question: ApprovalQuestion, identity: String? = nil, key: String?, run: String, callID: String, subject: String?,
        arguments: String, policy: String, demand: ApprovalDemand, now: Int64, waitedUntil: Int64
    ) {
        id = DecisionID.make("apr_")
        self.question = question
        self.identity = identity ?? question.user
        self.key = key
        self.run = run
        self.callID = callID
        self.subject = subject
        self.arguments = arguments
        nonce = DecisionID.make("")
        binding = Self.binding(of: question, policy: policy, nonce: nonce)
        self.policy = policy
        self.demand = demand
        createdAt = now
        expiresAt = now + demand.timeout.boundedNanoseconds / 1_000_000
        state = .pending
        votes = []
        endedAt = nil
        usedBy = nil
        self.waitedUntil = waitedUntil
        version = 1
    }

    public var org: OrgID { question.org }
    public var project: String { question.project }
    public var user: String { question.user }
    public var conversation: String? { question.conversation }
    public var tool: String { question.tool }
    /// SHA-256 of the arguments' canonical form, secrets included, in hexadecimal.
    public var digest: String { question.digest }
    /// The rule that asks.
    public var rule: String { demand.rule }
    /// How many of the quorum have agreed.
    public var agreed: Int { ApprovalMachine.agreed(votes, demand) }
    /// Where it stands in lists.
    public var cursor: ApprovalCursor { ApprovalCursor(createdAt: createdAt, id: id) }
}

/// What an approval is about. An open one is found by it, and it is used only for a call that equals it byte by byte.
public struct ApprovalQuestion: Sendable, Hashable {
    public let org: OrgID
    public let project: String
    public let user: String
    /// Nil of runs outside of conversations.
    public let conversation: String?
    public let tool: String
    /// SHA-256 of the arguments' canonical form, in hexadecimal.
    public let digest: String

    public init(org: OrgID, project: String, user: String, conversation: String?, tool: String, digest: String) {
        self.org = org
        self.project = project
        self.user = user
        self.conversation = conversation
        self.tool = tool
        self.digest = digest
    }

    /// Swift compares texts by meaning; this compares what they are made of.
    func isSame(as other: ApprovalQuestion) -> Bool { canonical == other.canonical }

    private var canonical: [UInt8] { Approval.canonical(self, policy: "", nonce: "") }
}

extension Approval {
    static func binding(of question: ApprovalQuestion, policy: String, nonce: String) -> String {
        Digest.hex(Digest.sha256(canonical(question, policy: policy, nonce: nonce)))
    }

    fileprivate static func canonical(_ question: ApprovalQuestion, policy: String, nonce: String) -> [UInt8] {
        let object = JSONObject([
            ("arguments", .string(question.digest)), ("conversation", question.conversation.map { .string($0) } ?? .null),
            ("nonce", .string(nonce)), ("org", .string(question.org.text)), ("policy", .string(policy)),
            ("project", .string(question.project)),
            ("tool", .string(question.tool)), ("user", .string(question.user)),
        ])
        return JSONValue.object(object).canonicalBytes
    }
}

/// A place in a list of approvals, which has the newest first.
public struct ApprovalCursor: Sendable, Hashable {
    public let createdAt: Int64
    public let id: String

    public init(createdAt: Int64, id: String) {
        self.createdAt = createdAt
        self.id = id
    }
}

/// Somebody who wants to decide, verified by the Server.
public struct Approver: Sendable, Hashable {
    public let org: OrgID
    public let project: String
    /// Empty of a credential without a user, which decides nothing.
    public let user: String
    /// The person: the same for all accounts that one human has, as the identity provider says it. The user where nobody says it.
    public let identity: String
    /// The API key's identifier; nil of a session of the console.
    public let key: String?
    public let roles: Set<String>

    public init(org: OrgID, project: String, user: String, identity: String? = nil, key: String?, roles: Set<String>) {
        self.org = org
        self.project = project
        self.user = user
        self.identity = identity ?? user
        self.key = key
        self.roles = roles
    }
}

/// Why an answer is not taken.
public struct ApprovalRefusal: Error, Sendable, Hashable {
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// In this org there is no such approval.
        case unknown = "approval_unknown"
        case notAnApprover = "not_an_approver"
        /// Who asks does not answer.
        case ownCall = "own_call"
        /// The call, or another vote, came through this credential.
        case sameCredential = "same_credential"
        case alreadyDecided = "already_decided"
        case over = "approval_over"
        case expired = "approval_expired"
        case reasonRequired = "reason_required"
        case reasonTooLong = "reason_too_long"
        /// The store cannot be asked, or too many decide at once: nothing was decided.
        case unavailable = "approval_unavailable"
        /// Of a call: the approval is another call's.
        case otherCall = "approval_other_call"
        /// Of a call: another one has used it.
        case used = "approval_used"
    }

    /// What there is none of, and what is none of the caller's business, read alike.
    public static let absent = ApprovalRefusal(.unknown, "There is no such approval.")

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
