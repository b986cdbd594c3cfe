/// Where an org's chain ends.
public struct ChainHead: Sendable, Hashable {
    public let org: OrgID
    /// The number with which the chain begins: records before it are of a release that had none.
    public let first: Int64
    public let seq: Int64
    public let hash: String
    /// The number of the last checkpoint; 0 before the first one.
    public let signed: Int64

    package init(org: OrgID, first: Int64, seq: Int64, hash: String, signed: Int64) {
        self.org = org
        self.first = first
        self.seq = seq
        self.hash = hash
        self.signed = signed
    }
}

/// What there is of an org in the log, for a walk over all of it: seen at one moment.
public struct ChainExtent: Sendable, Hashable {
    public let org: OrgID
    /// The least number that has a hash; nil where none has.
    public let first: Int64?
    /// The greatest number that is spoken of anywhere: by a record, a hash, the counter of numbers or the head.
    public let last: Int64

    package init(org: OrgID, first: Int64?, last: Int64) {
        self.org = org
        self.first = first
        self.last = last
    }
}

/// What a store has under one number.
public struct ChainEntry: Sendable, Hashable {
    public let seq: Int64
    /// Nil where there is a hash and no record.
    public let record: ChainRecord?
    /// Nil where there is a record and no hash.
    public let hash: String?
    /// Of an outcome: the number of its decision; nil where there is none.
    public let decisionSeq: Int64?
    /// Whether the number is that of two records, which no store of ours allows.
    public let isDouble: Bool

    package init(seq: Int64, record: ChainRecord?, hash: String?, decisionSeq: Int64? = nil, isDouble: Bool = false) {
        self.seq = seq
        self.record = record
        self.hash = hash
        self.decisionSeq = decisionSeq
        self.isDouble = isDouble
    }
}

/// The chain over decisions and its checkpoints. A store of decisions puts every record into it, in the transaction that gives the number.
public protocol AuditStore: Sendable {
    /// Orgs that are in the log, after this one by their bytes; at most ``ChainLimits/rows``.
    func extents(after org: OrgID?) async throws(DecisionError) -> [ChainExtent]
    func extent(of org: OrgID) async throws(DecisionError) -> ChainExtent?
    /// All that is there under these numbers, in their order; at most ``ChainLimits/page`` numbers are asked for.
    func entries(of org: OrgID, _ seqs: ClosedRange<Int64>) async throws(DecisionError) -> [ChainEntry]
    /// The hashes that are kept under these numbers.
    func hashes(of org: OrgID, _ seqs: [Int64]) async throws(DecisionError) -> [Int64: String]
    /// Heads beyond their last checkpoint, after this org by their bytes; at most ``ChainLimits/rows``.
    func moved(after org: OrgID?) async throws(DecisionError) -> [ChainHead]
    /// Keeps a key; one that is there stays.
    func add(_ key: AuditKey) async throws(DecisionError)
    func auditKeys() async throws(DecisionError) -> [AuditKey]
    /// Keeps checkpoints; the first one of a number stays.
    func add(_ checkpoints: [Checkpoint]) async throws(DecisionError)
    /// Those of an org after this number, in their order; at most ``ChainLimits/rows``.
    func checkpoints(of org: OrgID, after seq: Int64) async throws(DecisionError) -> [Checkpoint]
    /// Whether the tables agree with their indexes: what a walk reads through an index is then what is in the rows.
    ///
    /// - Returns: nil when they do, or where the back end answers for that; else one sentence.
    func damage() async throws(DecisionError) -> String?
}
