import Accounting
import Testing

/// What every store of decisions has to do for its chain, and what a verification finds when somebody has changed the store. Each function
/// is one item; the caller gives an empty store.
struct ChainContract {
    let store: any DecisionStore & AuditStore
    /// A process beside it.
    let other: any DecisionStore & AuditStore
    /// Runs statements of SQL; nil in memory.
    let execute: (@Sendable (String) async throws -> Void)?
    /// Takes away what forbids changes, as the owner of a database can.
    let unlock: @Sendable () async throws -> Void

    static let items: [(name: String, run: @Sendable (ChainContract) async throws -> Void)] = [
        ("records of all orgs are chained, and checkpoints sign them", { try await $0.chained() }),
        ("the chain holds when many write", { try await $0.many() }),
        ("the first checkpoint of a number and of a key stays", { try await $0.firstStays() }),
        ("87: one byte of a record that is changed is found, and its number named", { try await $0.oneByte() }),
        ("87: what a record that is no call says is hashed as well", { try await $0.otherKinds() }),
        ("88: the last five records cannot be dropped", { try await $0.dropped() }),
        ("89: all that is written anew is found by signatures and anchors", { try await $0.rewritten() }),
        ("no statement changes or removes what the chain is made of", { try await $0.immutable() }),
        ("the chain begins after what was there before it", { try await $0.beginning() }),
        ("what the release before wrote meanwhile comes into the chain with the next record", { try await $0.catchUp() }),
    ]

    static let orgs: [OrgID] = ["acme", "beta"]

    /// So many decisions of each org, every second one with an outcome.
    private func fill(_ count: Int, orgs: [OrgID] = orgs, tool: String = "refund") async throws {
        for org in orgs {
            let ids = (1...count).map { "\(tool)-\($0)" }
            try await store.append(try ids.map { try DecisionContract.decision($0, org: org, tool: tool) })
            let ended = ids.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            try await store.append(outcomes: try ended.map { try DecisionContract.outcome($0, org: org) })
        }
    }

    /// - Returns: the lines of a checkpoint file.
    private func sign(_ signer: CheckpointSigner? = nil) async throws -> [[UInt8]] {
        let signer = try signer ?? ChainTests.signer()
        try await store.add(signer.key)
        let checkpoints = try await store.moved(after: nil).map { try #require(signer.sign($0, at: ManualClock.monday)) }
        try await store.add(checkpoints)
        return checkpoints.map { Array($0.line(signer.key).utf8) }
    }

    private func verify(_ lines: [[UInt8]]? = nil, trusted: Set<String> = []) async throws -> [ChainReport] {
        var (audit, reports): (ChainAudit, [ChainReport]) = (try await ChainAudit(store, trusted: trusted), [])
        if let lines { try await audit.take(lines: lines) }
        try await audit.forEachReport { reports.append($0) }
        return reports
    }

    private func fault(_ lines: [[UInt8]]? = nil, trusted: Set<String> = [], of org: OrgID = "acme") async throws -> ChainFault? {
        try #require(try await verify(lines, trusted: trusted).first { $0.org == org }).fault
    }

    // MARK: Chains

    func chained() async throws {
        #expect(try await verify().isEmpty)
        #expect(try await store.moved(after: nil).isEmpty)
        try await fill(4)
        #expect(try await store.moved(after: nil).map(\.org) == Self.orgs)
        #expect(try await store.moved(after: "acme").map(\.org) == ["beta"])
        #expect(try await verify().map(\.signedTo) == [0, 0])
        let first = try await sign()
        #expect(try await store.moved(after: nil).isEmpty)
        try await store.append([try DecisionContract.decision("more")])
        try await store.append([try DecisionContract.decision("more")])
        #expect(try await store.moved(after: nil).map(\.seq) == [7])
        let reports = try await verify(first)
        #expect(reports.map(\.org) == Self.orgs && reports.map(\.records) == [7, 6] && reports.allSatisfy { $0.fault == nil })
        #expect(reports.map(\.signedTo) == [6, 6] && reports.map(\.anchoredTo) == [6, 6] && reports.map(\.unanchored) == [1, 0])
        #expect(try await verify().map(\.anchoredTo) == [nil, nil])
        _ = try await sign()
        #expect(try await fault(first) == nil)
        #expect(try await store.damage() == nil)
        var lines: [String] = []
        try await ChainExport(store).forEachPage(org: "acme") { lines += $0 }
        #expect(lines.count == 7 && lines.allSatisfy { $0.contains(#""prev":""#) })
        let later = ChainExport(store, from: ManualClock.monday + Milliseconds(7), to: ManualClock.monday + Milliseconds(8))
        lines = []
        try await later.forEachPage(org: nil) { lines += $0 }
        #expect(lines.count == 4 && lines.allSatisfy { $0.contains(#""kind":"outcome""#) })
        let audit = try await ChainAudit(store)
        try await store.append([try DecisionContract.decision("more", org: "beta")])
        _ = try await sign(CheckpointSigner(seed: Array(repeating: 7, count: 32), at: ManualClock.monday))
        let live = try #require(try await audit.report(on: "beta"))
        #expect(live.records == 7 && live.signedTo == 7 && live.fault == nil, "with the key of a server that was started meanwhile")
        #expect(try await audit.report(on: "nobody") == nil)
    }

    func many() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                let store: any DecisionStore = writer % 2 == 0 ? self.store : other
                group.addTask {
                    for batch in 0..<4 {
                        let ids = (0..<9).map { "w\(writer)-\(batch)-\($0)" }
                        let orgs = writer % 4 < 2 ? Self.orgs : Self.orgs.reversed()
                        try await store.append(try orgs.flatMap { org in try ids.map { try DecisionContract.decision($0, org: org) } })
                        try await store.append(
                            outcomes: try orgs.flatMap { org in try ids.map { try DecisionContract.outcome($0, org: org) } })
                    }
                }
            }
            try await group.waitForAll()
        }
        let anchors = try await sign()
        let reports = try await verify(anchors)
        #expect(reports.map(\.records) == [576, 576] && reports.allSatisfy { $0.fault == nil && $0.unanchored == 0 })
    }

    func firstStays() async throws {
        try await fill(2)
        let signer = try ChainTests.signer()
        let heads = try await store.moved(after: nil)
        _ = try await sign(signer)
        let again = try heads.map { try #require(signer.sign($0, at: ManualClock.monday + Milliseconds(1))) }
        try await store.add(again)
        #expect(try await store.checkpoints(of: "acme", after: 0).map(\.at) == [ManualClock.monday])
        #expect(try await store.checkpoints(of: "acme", after: 3).isEmpty)
        try await store.add(try #require(CheckpointSigner(seed: ChainTests.seed, at: .init(9))).key)
        #expect(try await store.auditKeys() == [signer.key])
    }

    // MARK: Somebody changes it

    func oneByte() async throws {
        guard let execute else { return }
        try await fill(20)
        _ = try await sign()
        try await unlock()
        // 1 to 20 are decisions, 21 to 30 outcomes.
        let changes: [(seq: Int64, change: String, back: String)] = [
            (7, "tool_decisions SET tool = 'refunD'", "tool_decisions SET tool = 'refund'"),
            (8, "tool_decisions SET decision = 'denY'", "tool_decisions SET decision = 'allow'"),
            (9, "tool_decisions SET roles = ' '", "tool_decisions SET roles = ''"),
            (10, "tool_decisions SET arguments = '{\"a\":2}'", "tool_decisions SET arguments = '{\"a\":1}'"),
            (11, "tool_decisions SET at = at + 1", "tool_decisions SET at = at - 1"),
            (12, "tool_decisions SET rule = ''", "tool_decisions SET rule = NULL"),
            (22, "tool_outcomes SET status = 'error'", "tool_outcomes SET status = 'ok'"),
            (23, "tool_outcomes SET elapsed = 8", "tool_outcomes SET elapsed = 7"),
            (24, "tool_outcomes SET decision = 'refund-2'", "tool_outcomes SET decision = 'refund-7'"),
            (25, "decision_chain SET hash = '\(ChainRecord.genesis)'", ""),
        ]
        for (seq, change, back) in changes {
            try await execute("UPDATE \(change) WHERE org = 'acme' AND seq = \(seq)")
            #expect(try await fault() == ChainFault(seq: seq, .changed), "\(change)")
            #expect(try await fault(of: "beta") == nil)
            if !back.isEmpty {
                try await execute("UPDATE \(back) WHERE org = 'acme' AND seq = \(seq)")
                #expect(try await fault() == nil, "\(back)")
            }
        }
        try await execute("DELETE FROM tool_decisions WHERE org = 'acme' AND seq = 6")
        #expect(try await fault() == ChainFault(seq: 6, .missing))
        try await execute("UPDATE tool_decisions SET seq = 6 WHERE org = 'acme' AND seq = 5")
        #expect(try await fault() == ChainFault(seq: 5, .missing))
        try await execute("DELETE FROM decision_chain WHERE org = 'acme' AND seq = 3")
        #expect(try await fault() == ChainFault(seq: 3, .unchained))
    }

    func otherKinds() async throws {
        try await fill(2)
        try await store.append([
            try DecisionContract.record("x1", kind: .admission, source: .server, approval: "apr_1", details: "{}"),
            try DecisionContract.record("x2", run: "", kind: .change, source: .operator, conversation: nil, subject: nil),
        ])
        _ = try await sign()
        #expect(try await fault() == nil)
        guard let execute else { return }
        try await unlock()
        for (seq, change, back) in [
            (1, "kind = 'kill'", "kind = 'call'"), (1, "conversation = 'c1'", "conversation = NULL"),
            (1, "details = ''", "details = NULL"), (4, "kind = 'call'", "kind = 'admission'"), (4, "subject = '43'", "subject = '42'"),
            (4, "approval = NULL", "approval = 'apr_1'"), (4, "details = '[]'", "details = '{}'"), (5, "kind = 'cut'", "kind = 'change'"),
            (5, "conversation = ''", "conversation = NULL"), (5, "source = 'server'", "source = 'operator'"),
        ] {
            try await execute("UPDATE tool_decisions SET \(change) WHERE org = 'acme' AND seq = \(seq)")
            #expect(try await fault() == ChainFault(seq: Int64(seq), .changed), "\(change)")
            try await execute("UPDATE tool_decisions SET \(back) WHERE org = 'acme' AND seq = \(seq)")
            #expect(try await fault() == nil, "\(back)")
        }
    }

    func dropped() async throws {
        guard let execute else { return }
        try await fill(8)
        let anchors = try await sign()
        try await unlock()
        for table in ["tool_outcomes", "tool_decisions", "decision_chain"] {
            try await execute("DELETE FROM \(table) WHERE org = 'acme' AND seq > 7")
        }
        #expect(try await fault() == ChainFault(seq: 8, .missing), "the counter of numbers is beyond")
        try await execute("UPDATE decision_heads SET seq = 7 WHERE org = 'acme'")
        try await execute(
            """
            UPDATE decision_chain_heads SET seq = 7, signed = 0,
            hash = (SELECT hash FROM decision_chain WHERE org = 'acme' AND seq = 7) WHERE org = 'acme'
            """)
        #expect(try await fault() == ChainFault(seq: 8, .missing), "the checkpoint is beyond")
        #expect(try await fault(anchors) == ChainFault(seq: 8, .missing))
        try await execute("DELETE FROM audit_checkpoints WHERE org = 'acme'")
        #expect(try await fault() == nil, "only what is kept elsewhere can show it now")
        #expect(try await fault(anchors) == ChainFault(seq: 8, .missing))
        for table in ["tool_decisions", "decision_chain", "decision_heads", "decision_chain_heads"] {
            try await execute("DELETE FROM \(table) WHERE org = 'acme'")
        }
        #expect(try await verify().map(\.org) == ["beta"])
        #expect(try await fault(anchors) == ChainFault(seq: 1, .missing), "a whole org that is gone")
        try await execute("UPDATE decision_heads SET seq = \(Int64.max) WHERE org = 'beta'")
        #expect(try await fault(of: "beta") == ChainFault(seq: 13, .missing), "and nobody looks for ever")
        var lines: [String] = []
        try await ChainExport(store).forEachPage(org: nil) { lines += $0 }
        #expect(lines.count == 12)
    }

    func rewritten() async throws {
        guard let execute else { return }
        try await fill(8)
        let anchors = try await sign()
        try await unlock()
        for table in ["tool_outcomes", "tool_decisions", "decision_chain", "decision_heads", "decision_chain_heads"] {
            try await execute("DELETE FROM \(table) WHERE org = 'acme'")
        }
        // Whoever rewrites it may use our own code: every hash is right.
        try await fill(9, orgs: ["acme"], tool: "harmless")
        #expect(try await fault() == ChainFault(seq: 12, .rewritten))
        #expect(try await fault(anchors) == ChainFault(seq: 12, .rewritten))
        try await execute(
            "UPDATE audit_checkpoints SET hash = (SELECT c.hash FROM decision_chain c WHERE c.org = 'acme' AND c.seq = 12) WHERE org = 'acme'"
        )
        #expect(try await fault() == ChainFault(seq: 12, .badSignature))
        try await execute("DELETE FROM audit_checkpoints WHERE org = 'acme'")
        _ = try await sign(CheckpointSigner(seed: Array(repeating: 7, count: 32), at: ManualClock.monday))
        #expect(try await fault() == nil, "by a key that the forger made and put among the others")
        #expect(try await fault(trusted: [ChainTests.signer().key.id]) == ChainFault(seq: 14, .otherKey))
        #expect(try await fault(anchors) == ChainFault(seq: 12, .rewritten))
        #expect(try await fault(anchors, of: "beta") == nil)
    }

    func immutable() async throws {
        guard let execute else { return }
        try await fill(2)
        _ = try await sign()
        for statement in [
            "UPDATE decision_chain SET hash = ''", "DELETE FROM decision_chain", "UPDATE decision_chain_heads SET seq = seq - 1",
            "UPDATE decision_chain_heads SET hash = ''", "UPDATE decision_chain_heads SET first = 2",
            "UPDATE decision_chain_heads SET signed = 0", "DELETE FROM decision_chain_heads", "UPDATE audit_keys SET public_key = ''",
            "DELETE FROM audit_keys", "UPDATE audit_checkpoints SET count = 1", "DELETE FROM audit_checkpoints",
        ] {
            await #expect(throws: (any Error).self, "\(statement)") { try await execute(statement) }
        }
        #expect(try await verify().allSatisfy { $0.fault == nil })
    }

    // MARK: Beside the release before

    /// As that release writes: it knows no chain.
    private func insertUnchained(_ seqs: ClosedRange<Int>) async throws {
        try await execute?(
            """
            WITH RECURSIVE n (i) AS (SELECT \(seqs.lowerBound) UNION ALL SELECT i + 1 FROM n WHERE i < \(seqs.upperBound))
            INSERT INTO tool_decisions (org, seq, id, project, run, call, source, tool, arguments_digest, decision, roles, at)
            SELECT 'acme', i, 'old' || i, 'web', 'r0', 'c', 'model', 'refund', 'aa', 'allow', '', 1 FROM n
            """)
        let head = seqs.lowerBound == 1 ? "INSERT INTO decision_heads VALUES ('acme', " : "UPDATE decision_heads SET seq = ("
        try await execute?("\(head)\(seqs.upperBound))")
    }

    func beginning() async throws {
        guard execute != nil else { return }
        try await insertUnchained(1...5)
        let before = try await verify()
        #expect(before.map(\.unchained) == [5] && before.map(\.first) == [nil] && before.map(\.fault) == [nil])
        try await store.append([try DecisionContract.decision("d1")])
        try await store.append(outcomes: [try DecisionContract.outcome("old3"), try DecisionContract.outcome("d1")])
        let anchors = try await sign()
        let report = try #require(try await verify(anchors).first)
        #expect(report.first == 6 && report.records == 3 && report.unchained == 5 && report.fault == nil && report.anchoredTo == 8)
        #expect(try await store.checkpoints(of: "acme", after: 0).map(\.count) == [3])
        // Taking away the beginning of a chain does not make another one.
        try await unlock()
        try await execute?("DELETE FROM decision_chain WHERE org = 'acme' AND seq = 6")
        #expect(try await fault() == ChainFault(seq: 7, .changed))
        var lines: [String] = []
        try await ChainExport(store).forEachPage(org: "acme") { lines += $0 }
        #expect(lines.filter { !$0.contains(#""prev""#) }.count == 6)
    }

    func catchUp() async throws {
        guard execute != nil else { return }
        try await store.append([try DecisionContract.decision("d1")])
        let end = 2 * Int(ChainLimits.catchUp) + 10
        try await insertUnchained(2...end)
        #expect(try await fault() == ChainFault(seq: 2, .unchained))
        try await store.append(outcomes: [try DecisionContract.outcome("d1"), try DecisionContract.outcome("old7")])
        let report = try #require(try await verify().first)
        #expect(report.fault == nil && report.records == Int64(end + 2))
        try await insertUnchained(end + 3...end + 4)
        try await store.append([try DecisionContract.decision("d2")])
        #expect(try await fault() == nil)
    }
}
