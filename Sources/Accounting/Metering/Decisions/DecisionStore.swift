/// Why a decision or an outcome was not kept, or cannot be read.
public enum DecisionError: Error, Sendable, Hashable {
    /// A field that we should have made properly; its name.
    case malformed(String)
    /// More than ``DecisionLimits/batchRows`` at once.
    case tooManyRows
    /// Other decisions of these ids are there; nothing of the batch was kept.
    case idsTaken(Set<DecisionID>)
    /// There are no decisions of these ids; nothing of the batch was kept.
    case noDecisions(Set<DecisionID>)
    /// The back end did not do it; the reason is one sentence for an operator.
    case unavailable(String)
}

/// An org's name for one of its decisions.
public struct DecisionID: Sendable, Hashable {
    public let org: OrgID
    public var id: String { idText.text }
    private let idText: ByteText

    public init(org: OrgID, id: String) {
        self.org = org
        idText = ByteText(id)
    }
}

/// Whose decisions are read. There is no query without one; the server makes it of an authenticated tenant.
public enum DecisionReader: Sendable, Hashable {
    /// For the org's admins.
    case org(OrgHandle)
    case project(ProjectHandle)
    case user(UserHandle)

    public var org: OrgID {
        switch self {
        case .org(let handle): handle.org
        case .project(let handle): handle.org
        case .user(let handle): handle.org
        }
    }

    public var project: String? {
        switch self {
        case .org: nil
        case .project(let handle): handle.project
        case .user(let handle): handle.project
        }
    }

    public var user: String? {
        guard case .user(let handle) = self else { return nil }
        return handle.user
    }
}

/// What of the decisions is wanted; nil: all. It never widens what a ``DecisionReader`` sees.
public struct DecisionFilter: Sendable, Hashable {
    public var run: String?
    public var tool: String?
    public var decision: ToolDecision.Verdict?
    public var user: String?
    public var rule: String?
    public var kind: ToolDecision.Kind?
    public var conversation: String?
    /// Decided then or later (ms, UTC).
    public var since: Milliseconds?
    /// Decided before then (ms, UTC).
    public var until: Milliseconds?

    public init(
        run: String? = nil, tool: String? = nil, decision: ToolDecision.Verdict? = nil, user: String? = nil, rule: String? = nil,
        kind: ToolDecision.Kind? = nil, conversation: String? = nil, since: Milliseconds? = nil, until: Milliseconds? = nil
    ) {
        self.run = run
        self.tool = tool
        self.decision = decision
        self.user = user
        self.rule = rule
        self.kind = kind
        self.conversation = conversation
        self.since = since
        self.until = until
    }

    /// Whether a text in it has a zero byte: nothing that is kept has one, and Postgres takes none.
    package var isImpossible: Bool {
        [run, tool, user, rule, conversation].contains { $0?.utf8.contains(0) ?? false }
    }
}

/// A decision as it is kept.
///
/// Decisions and outcomes of an org are numbered together from 1 without gaps, in the order in which they were kept: a chain over the
/// org's records follows these numbers.
public struct RecordedDecision: Sendable, Hashable {
    public let seq: Int64
    public let decision: ToolDecision
    /// Nil while the call is under way, and for one that was denied.
    public let outcome: ToolOutcome?
    public let outcomeSeq: Int64?

    public init(seq: Int64, decision: ToolDecision, outcome: ToolOutcome?, outcomeSeq: Int64?) {
        self.seq = seq
        self.decision = decision
        self.outcome = outcome
        self.outcomeSeq = outcomeSeq
    }
}

public struct DecisionPage: Sendable, Hashable {
    public let decisions: [RecordedDecision]
    /// Pass it as `before`, or as `after`, for the next page; nil at the end.
    public let next: Int64?

    public init(decisions: [RecordedDecision], limit: Int) {
        self.decisions = decisions
        next = decisions.count == limit ? decisions.last?.seq : nil
    }
}

/// The append-only log of decisions about calls of tools. What an append has returned from survives the loss of power.
public protocol DecisionStore: Sendable {
    /// Keeps all or none. A decision that is there already and is the same is left as it is: repeating an append is safe.
    func append(_ decisions: [ToolDecision]) async throws(DecisionError)
    /// Keeps all or none; the first outcome of a decision stays.
    func append(outcomes: [ToolOutcome]) async throws(DecisionError)
    /// The newest first, before the number `cursor` if given; at most ``DecisionLimits/page``.
    func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, before cursor: Int64?, limit: Int
    ) async throws(DecisionError) -> DecisionPage
    /// The oldest first, after the number `cursor` (0: from the first one), for making decisions again; at most
    /// ``DecisionLimits/replayPage``.
    func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, after cursor: Int64, limit: Int
    ) async throws(DecisionError) -> DecisionPage
    /// - Returns: nil also when it is somebody else's.
    func decision(for reader: DecisionReader, id: String) async throws(DecisionError) -> RecordedDecision?
    /// The calls of one conversation of its owner that were allowed, in the order in which they were decided; without those that were
    /// answered from an earlier outcome (``ToolDecision/replayRule``).
    ///
    /// - Parameter limit: at most ``DecisionLimits/sessionCalls``.
    /// - Returns: `limit + 1` calls when there are more than `limit`.
    func sessionCalls(
        of owner: ConversationOwner, conversation: String, limit: Int
    ) async throws(DecisionError) -> [RecordedCall]
}

/// A call of a session that was allowed, as far as policies look back at it.
public struct RecordedCall: Sendable, Hashable {
    public let tool: String
    /// ``ToolDecision/subject``; empty where there is none.
    public let subject: String
    /// Whether it is known to have succeeded.
    public let isDone: Bool
    /// Whether it was made under an approval.
    public let isApproved: Bool

    public init(tool: String, subject: String, isDone: Bool, isApproved: Bool) {
        self.tool = tool
        self.subject = subject
        self.isDone = isDone
        self.isApproved = isApproved
    }
}

/// What every store does before it asks its back end.
package enum DecisionBatch {
    /// The decisions without repetitions.
    package static func distinct(_ decisions: [ToolDecision]) throws(DecisionError) -> [ToolDecision] {
        guard decisions.count <= DecisionLimits.batchRows else { throw .tooManyRows }
        var known: [DecisionID: ToolDecision] = [:]
        var distinct: [ToolDecision] = []
        var taken: Set<DecisionID> = []
        for decision in decisions {
            if let other = known.updateValue(decision, forKey: decision.key) {
                if other != decision { taken.insert(decision.key) }
            } else {
                distinct.append(decision)
            }
        }
        guard taken.isEmpty else { throw .idsTaken(taken) }
        return distinct
    }

    /// The first outcome of each decision.
    package static func distinct(_ outcomes: [ToolOutcome]) throws(DecisionError) -> [ToolOutcome] {
        guard outcomes.count <= DecisionLimits.batchRows else { throw .tooManyRows }
        var known: Set<DecisionID> = []
        return outcomes.filter { known.insert($0.key).inserted }
    }

    package static func limit(_ limit: Int, _ most: Int = DecisionLimits.page) -> Int { min(max(1, limit), most) }
}

extension ToolDecision {
    package var key: DecisionID { DecisionID(org: path.org, id: id) }
}

extension ToolOutcome {
    package var key: DecisionID { DecisionID(org: org, id: decision) }
}
