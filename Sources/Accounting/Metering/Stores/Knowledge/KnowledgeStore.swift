/// What a list shows of a document.
public struct KnowledgeEntry: Sendable, Hashable {
    public let id: KnowledgeID
    /// Empty for none.
    public let title: String
    public let bytes: Int
    public let passages: Int
    public let updatedAt: Milliseconds

    public init(id: KnowledgeID, title: String, bytes: Int, passages: Int, updatedAt: Milliseconds) {
        self.id = id
        self.title = title
        self.bytes = bytes
        self.passages = passages
        self.updatedAt = updatedAt
    }
}

public struct StoredDocument: Sendable, Hashable {
    public let entry: KnowledgeEntry
    public let text: String

    public init(entry: KnowledgeEntry, text: String) {
        self.entry = entry
        self.text = text
    }
}

/// One hit of a search.
public struct KnowledgePassage: Sendable, Hashable {
    public let document: KnowledgeID
    /// Empty for none.
    public let title: String
    public let text: String
    /// Of the passages of its document; 1 is the first.
    public let position: Int
    /// The back end's rank beside that of the best hit, which has 1,000; at least 1.
    public let score: Int

    public init(document: KnowledgeID, title: String, text: String, position: Int, score: Int) {
        self.document = document
        self.title = title
        self.text = text
        self.position = position
        self.score = score
    }

    /// - Parameters:
    ///   - rank, best: what the back end says of this hit and of the first one, in a unit of its own.
    public static func score(rank: Int64, best: Int64) -> Int {
        guard rank > 0, best > 0, rank < best else { return best > 0 && rank >= best ? 1_000 : 1 }
        let (product, overflow) = rank.multipliedReportingOverflow(by: 1_000)
        return max(1, Int(overflow ? rank / (best / 1_000) : product / best))
    }
}

public struct KnowledgePut: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable { case created, replaced, unchanged }

    public let outcome: Outcome
    public let entry: KnowledgeEntry

    public init(outcome: Outcome, entry: KnowledgeEntry) {
        self.outcome = outcome
        self.entry = entry
    }
}

/// The documents of projects, and the search in them. Another project's document of the same id is another document.
public protocol KnowledgeStore: Sendable {
    /// Adds a document, or replaces the one of its id whole. The same title and text again change nothing.
    ///
    /// - Throws: ``KnowledgeError/projectFull``, and then everything is as before.
    func put(_ project: ProjectHandle, _ document: KnowledgeDocument, at: Milliseconds) async throws(KnowledgeError) -> KnowledgePut
    /// The passages that hold a word of the query: those that match best first, at most ``KnowledgeLimits/results``.
    func search(_ project: ProjectHandle, _ query: KnowledgeQuery, limit: Int) async throws(KnowledgeError) -> [KnowledgePassage]
    /// By id, after `cursor`; at most ``KnowledgeLimits/page``.
    func list(_ project: ProjectHandle, after cursor: KnowledgeID?, limit: Int) async throws(KnowledgeError) -> [KnowledgeEntry]
    func find(_ project: ProjectHandle, _ id: KnowledgeID) async throws(KnowledgeError) -> StoredDocument?
    /// Removes a document with its passages and what the index has of them.
    ///
    /// - Returns: false when there is none.
    func delete(_ project: ProjectHandle, _ id: KnowledgeID) async throws(KnowledgeError) -> Bool
}
