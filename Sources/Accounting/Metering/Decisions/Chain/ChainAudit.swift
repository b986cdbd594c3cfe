/// Verifies the decision log of a store: every org's chain, its checkpoints, and those of a file outside it.
///
/// Pages through everything, so memory is bounded by a page; may run beside servers. A value; give the anchors first, then ask for reports.
public struct ChainAudit: Sendable {
    private struct Anchor: Sendable {
        var to: Int64 = 0
        var fault: ChainFault?
    }

    private let store: any AuditStore
    private let judge: CheckpointJudge
    private var anchors: [OrgID: Anchor] = [:]
    private var hasAnchors = false
    /// Lines of the checkpoint file that are no checkpoints: a server that was killed while it wrote leaves one.
    public private(set) var unreadableLines = 0

    /// - Parameter trusted: ids of the only keys that are believed; empty: all of the store.
    public init(_ store: any AuditStore, trusted: Set<String> = []) async throws(DecisionError) {
        self.store = store
        judge = CheckpointJudge(keys: try await store.auditKeys(), trusted: trusted)
    }

    /// Checks the next lines of a checkpoint file against the hashes of the store.
    public mutating func take(lines: [[UInt8]]) async throws(DecisionError) {
        hasAnchors = true
        var found: [OrgID: [(checkpoint: Checkpoint, key: AuditKey)]] = [:]
        for line in lines where !line.isEmpty {
            guard let parsed = Checkpoint.parse(line: line) else {
                unreadableLines += 1
                continue
            }
            found[parsed.checkpoint.org, default: []].append(parsed)
        }
        for (org, parsed) in found {
            var anchor = anchors[org] ?? Anchor()
            guard anchors.count < ChainLimits.anchoredOrgs || anchors[org] != nil else {
                throw .unavailable("the file speaks of too many orgs")
            }
            let first = try await store.extent(of: org)?.first
            let hashes = try await store.hashes(of: org, parsed.map(\.checkpoint.seq))
            for (checkpoint, key) in parsed {
                let fault = judge.fault(in: checkpoint, key: key, first: first, hash: hashes[checkpoint.seq])
                anchor.fault = ChainFault.first(anchor.fault, fault)
                if fault == nil { anchor.to = max(anchor.to, checkpoint.seq) }
            }
            anchors[org] = anchor
        }
    }

    /// Reports on all orgs, one after the other, in the order of their bytes; then on those that only the file knows.
    public func forEachReport(_ body: (ChainReport) async throws -> Void) async throws {
        var (org, unseen): (OrgID?, Set<OrgID>) = (nil, Set(anchors.keys))
        while true {
            let extents = try await store.extents(after: org)
            for extent in extents {
                unseen.remove(extent.org)
                try await body(try await report(extent))
            }
            guard extents.count == ChainLimits.rows, let last = extents.last else { break }
            org = last.org
        }
        for org in unseen.sorted() {
            try await body(try await report(ChainExtent(org: org, first: nil, last: 0)))
        }
    }

    /// - Returns: nil for an org that nothing speaks of.
    public func report(on org: OrgID) async throws(DecisionError) -> ChainReport? {
        if let extent = try await store.extent(of: org) { return try await report(extent) }
        guard anchors[org] != nil else { return nil }
        return try await report(ChainExtent(org: org, first: nil, last: 0))
    }

    private func report(_ extent: ChainExtent) async throws(DecisionError) -> ChainReport {
        var walk = ChainWalk(extent)
        var seq: Int64 = 1
        while seq <= extent.last, walk.report.fault == nil {
            let page = seq...min(extent.last, seq + ChainLimits.page - 1)
            walk.take(try await store.entries(of: extent.org, page), under: page)
            seq = page.upperBound + 1
        }
        var report = walk.report
        try await checkCheckpoints(&report)
        if hasAnchors {
            let anchor = anchors[extent.org] ?? Anchor()
            report.anchoredTo = anchor.to
            report.fault = ChainFault.first(report.fault, anchor.fault)
        }
        // What a checkpoint misses at its place is missing from the end on.
        if let fault = report.fault, fault.reason == .missing, fault.seq > extent.last {
            report.fault = ChainFault(seq: extent.last + 1, .missing)
        }
        return report
    }

    private func checkCheckpoints(_ report: inout ChainReport) async throws(DecisionError) {
        var (seq, judge): (Int64, CheckpointJudge) = (0, self.judge)
        while true {
            let page = try await store.checkpoints(of: report.org, after: seq)
            // A server that was started meanwhile has signed with a key of its own.
            if page.contains(where: { judge.keys[$0.key] == nil }) {
                judge = CheckpointJudge(keys: try await store.auditKeys(), trusted: judge.trusted)
            }
            let hashes = try await store.hashes(of: report.org, page.map(\.seq))
            for checkpoint in page {
                if let fault = judge.fault(in: checkpoint, first: report.first, hash: hashes[checkpoint.seq]) {
                    report.fault = ChainFault.first(report.fault, fault)
                    return
                }
                report.signedTo = checkpoint.seq
            }
            guard page.count == ChainLimits.rows, let last = page.last else { return }
            seq = last.seq
        }
    }
}

/// Writes the decision log out, record by record; of an org no further than where a whole page of numbers is missing.
public struct ChainExport: Sendable {
    private let store: any AuditStore
    private let from: Milliseconds?
    private let to: Milliseconds?

    /// - Parameters:
    ///   - from: only records from then on.
    ///   - to: only records before then.
    public init(_ store: any AuditStore, from: Milliseconds? = nil, to: Milliseconds? = nil) {
        self.store = store
        self.from = from
        self.to = to
    }

    /// The lines of an org, or of all, in pages.
    public func forEachPage(org: OrgID?, _ body: ([String]) async throws -> Void) async throws {
        var pages = try await pages(org: org)
        while let lines = try await pages.next() { try await body(lines) }
    }

    /// The same, for whoever asks for one page after the other.
    public func pages(org: OrgID?) async throws -> Pages {
        var pages = Pages(export: self)
        if let org {
            pages.extents = try await store.extent(of: org).map { [$0] } ?? []
        } else {
            pages.asks = true
        }
        return pages
    }

    /// A walk over the log. A value.
    public struct Pages: Sendable {
        fileprivate let export: ChainExport
        /// Orgs to come.
        fileprivate var extents: [ChainExtent] = []
        /// Whether there may be more, after this one.
        fileprivate var asks = false
        private var after: OrgID?
        private var current: (extent: ChainExtent, seq: Int64, prev: String?)?

        fileprivate init(export: ChainExport) { self.export = export }

        /// - Returns: the next lines, at least one; nil at the end.
        public mutating func next() async throws -> [String]? {
            while true {
                if let (extent, seq, prev) = current {
                    current = nil
                    let lines = try await read(extent, from: seq, after: prev)
                    if !lines.isEmpty { return lines }
                } else if !extents.isEmpty {
                    current = (extents.removeFirst(), 1, nil)
                } else if asks {
                    extents = try await export.store.extents(after: after)
                    (asks, after) = (extents.count == ChainLimits.rows, extents.last?.org)
                } else {
                    return nil
                }
            }
        }

        private mutating func read(_ extent: ChainExtent, from seq: Int64, after prev: String?) async throws -> [String] {
            guard seq <= extent.last else { return [] }
            let page = seq...min(extent.last, seq + ChainLimits.page - 1)
            let entries = try await export.store.entries(of: extent.org, page)
            // Somebody took them away, or moved the end to where nobody ever comes: a verification names it.
            guard !entries.isEmpty else { return [] }
            var (lines, prev): ([String], String?) = ([], prev)
            for entry in entries {
                let before = entry.seq == extent.first ? ChainRecord.genesis : prev
                prev = entry.hash
                guard let record = entry.record, export.takes(record.at) else { continue }
                lines.append(record.line(prev: entry.hash == nil ? nil : before, hash: entry.hash))
            }
            current = (extent, page.upperBound + 1, prev)
            return lines
        }
    }

    /// Also a record of which somebody destroyed the time.
    private func takes(_ at: Milliseconds?) -> Bool {
        guard let at else { return true }
        return (from.map { at >= $0 } ?? true) && (to.map { at < $0 } ?? true)
    }
}
