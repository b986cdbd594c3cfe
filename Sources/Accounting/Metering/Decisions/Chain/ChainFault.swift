/// The first thing that is wrong in an org's chain.
public struct ChainFault: Sendable, Hashable {
    public enum Reason: String, Sendable, Hashable {
        /// There is no record of this number.
        case missing
        /// There are two.
        case double
        /// A record without a hash behind the beginning of the chain: nothing of ours wrote it, or a release that knew no chain.
        case unchained
        /// The hash is not that of the record and the hash before it: either was changed.
        case changed
        /// An outcome of a decision that is not before it.
        case outcomeOfNothing = "outcome_of_nothing"
        /// A checkpoint says that the record had another hash: it, or one before it back to the checkpoint before, was rewritten.
        case rewritten
        /// A checkpoint says that the chain began elsewhere.
        case beginning
        /// A checkpoint without a signature of a key that is known.
        case badSignature = "bad_signature"
        /// A checkpoint that is signed by another key than those that were named.
        case otherKey = "other_key"
    }

    public let seq: Int64
    public let reason: Reason

    package init(seq: Int64, _ reason: Reason) {
        self.seq = seq
        self.reason = reason
    }

    /// For people.
    public var text: String {
        switch reason {
        case .missing: "record \(seq) is missing"
        case .double: "there are two records \(seq)"
        case .unchained: "record \(seq) has no hash: it was not written by a server that keeps the chain"
        case .changed: "record \(seq) or its hash was changed"
        case .outcomeOfNothing: "record \(seq) is the outcome of no decision before it"
        case .rewritten: "record \(seq) is not the one that a checkpoint was signed for: it or one before it was rewritten"
        case .beginning: "the checkpoint at record \(seq) speaks of a chain that begins elsewhere"
        case .badSignature: "the checkpoint at record \(seq) has no valid signature of a known key"
        case .otherKey: "the checkpoint at record \(seq) is signed by another key"
        }
    }

    /// Whichever comes first in the chain.
    static func first(_ one: ChainFault?, _ other: ChainFault?) -> ChainFault? {
        guard let one, let other else { return one ?? other }
        return other.seq < one.seq ? other : one
    }
}

/// What a walk over an org's chain has found.
public struct ChainReport: Sendable, Hashable {
    public let org: OrgID
    /// Records that are as they were written.
    public internal(set) var records: Int64 = 0
    /// Records from before the chain, of which only the numbers were checked.
    public internal(set) var unchained: Int64 = 0
    public internal(set) var first: Int64?
    public internal(set) var last: Int64
    /// The last record that a checkpoint in the store speaks of; 0 without one.
    public internal(set) var signedTo: Int64 = 0
    /// The last record that a checkpoint outside the store speaks of; nil when there is none.
    public internal(set) var anchoredTo: Int64?
    public internal(set) var fault: ChainFault?

    init(_ extent: ChainExtent) {
        org = extent.org
        first = extent.first
        last = extent.last
    }

    /// Records at the end that could be cut off without a trace.
    public var unanchored: Int64 { max(0, last - (anchoredTo ?? signedTo)) }
}

/// Follows one org's chain, number by number. Pure; bounded, whatever the chain's length.
package struct ChainWalk {
    package private(set) var report: ChainReport
    private var prev = ChainRecord.genesis

    package init(_ extent: ChainExtent) { report = ChainReport(extent) }

    /// - Parameters:
    ///   - seqs: the numbers that follow those before.
    ///   - entries: all that there is under them, in order.
    package mutating func take(_ entries: [ChainEntry], under seqs: ClosedRange<Int64>) {
        var entries = entries[...]
        for seq in seqs {
            var entry: ChainEntry?
            if entries.first?.seq == seq { entry = entries.popFirst() }
            if let reason = judge(entry, seq) {
                report.fault = ChainFault(seq: seq, reason)
                return
            }
        }
    }

    private mutating func judge(_ entry: ChainEntry?, _ seq: Int64) -> ChainFault.Reason? {
        guard let entry, let record = entry.record else { return .missing }
        guard !entry.isDouble else { return .double }
        if record.kind == .outcome, entry.decisionSeq.map({ $0 >= seq }) ?? true { return .outcomeOfNothing }
        guard let first = report.first, seq >= first else {
            report.unchained += 1
            return nil
        }
        guard let hash = entry.hash else { return .unchained }
        guard record.hash(after: prev) == hash else { return .changed }
        prev = hash
        report.records += 1
        return nil
    }
}

/// What a checkpoint says, against the chain. Pure.
package struct CheckpointJudge: Sendable {
    /// By their ids.
    package let keys: [String: AuditKey]
    /// The only keys that are believed; empty: all that are known.
    package let trusted: Set<String>

    package init(keys: [AuditKey], trusted: Set<String> = []) {
        self.keys = Dictionary(keys.map { ($0.id, $0) }, uniquingKeysWith: { one, _ in one })
        self.trusted = trusted
    }

    /// - Parameters:
    ///   - key: the one that the checkpoint came with; nil: the known one.
    ///   - first: where the chain begins.
    ///   - hash: that of the record of its number.
    package func fault(in checkpoint: Checkpoint, key: AuditKey? = nil, first: Int64?, hash: String?) -> ChainFault? {
        func fault(_ reason: ChainFault.Reason) -> ChainFault { ChainFault(seq: checkpoint.seq, reason) }
        guard let key = key ?? keys[checkpoint.key], checkpoint.isSigned(by: key) else { return fault(.badSignature) }
        guard trusted.isEmpty || trusted.contains(key.id) else { return fault(.otherKey) }
        guard let hash else { return fault(.missing) }
        guard hash == checkpoint.hash else { return fault(.rewritten) }
        return checkpoint.seq - checkpoint.count + 1 == first ? nil : fault(.beginning)
    }
}
