import Accounting
import Testing

extension DecisionContract {
    /// A record with all that a decision may have beside a call.
    static func record(
        _ id: String, org: OrgID = "acme", project: String = "web", user: String? = "ann", run: String = "r1",
        kind: ToolDecision.Kind = .call, source: ToolDecision.Source = .model, tool: String = "refund",
        _ verdict: ToolDecision.Verdict = .allow, rule: String? = nil, conversation: String? = "c1", subject: String? = "42",
        approval: String? = nil, details: String? = nil, at: Int64 = 0
    ) throws -> ToolDecision {
        try ToolDecision(
            id: id, path: TenancyPath(org: org, project: project, user: user, key: "k1"), run: run, callID: kind == .call ? id : "",
            source: source, tool: tool, argumentsDigest: kind == .call ? hex : "", arguments: nil, decision: verdict, rule: rule,
            at: ManualClock.monday + Milliseconds(at), kind: kind, conversation: conversation, subject: subject, approval: approval,
            details: details)
    }

    private static let records = Result {
        var records: [ToolDecision] = []
        for number in 0..<120 {
            let kind = ToolDecision.Kind.allCases[number % 7]
            records.append(
                try record(
                    "d\(number)", project: number % 4 == 0 ? TenancyName.noProject : "web", user: ["ann", "bob", nil][number % 3],
                    run: kind.needsRun ? "r1" : "", kind: kind, source: ToolDecision.Source.allCases[number % 5],
                    tool: kind == .call ? "refund" : "", number % 5 == 0 ? .deny : .allow, rule: ["policy/1", "é $1 '", nil][number % 3],
                    conversation: ["c1", "c2", nil, nil][number % 4], subject: number % 2 == 0 ? "a\nb 🧾 \\" : nil,
                    approval: number % 9 == 0 ? "apr_1" : nil, details: number % 2 == 0 ? #"{"now":"'; é"}"# : nil, at: Int64(number / 2)))
        }
        return records
    }

    func kinds() async throws {
        let records = try Self.records.get()
        try await server.decisions.append(records)
        try await server.decisions.append(records)
        #expect(
            try await other.decisions.decisions(for: acme, DecisionFilter(), before: nil, limit: 200).decisions.map(\.decision)
                == records.reversed())
        func at(_ offset: Int64) -> Milliseconds { ManualClock.monday + Milliseconds(offset) }
        let ann = DecisionReader.user(try UserHandle(org: "acme", project: "web", user: "ann"))
        let kinds = ToolDecision.Kind.allCases.map { DecisionFilter(kind: $0) }
        for filter in kinds + [
            DecisionFilter(user: "bob"), DecisionFilter(user: "ann"), DecisionFilter(rule: "é $1 '"), DecisionFilter(conversation: "c2"),
            DecisionFilter(since: at(20)), DecisionFilter(until: at(20)), DecisionFilter(since: at(20), until: at(20)),
            DecisionFilter(since: at(60)), DecisionFilter(until: at(0)), DecisionFilter(since: at(7), until: at(40)),
            DecisionFilter(decision: .deny, kind: .approval, since: at(7)), DecisionFilter(run: ""), DecisionFilter(rule: "r\u{0}"),
            DecisionFilter(tool: "refund", user: "ann", kind: .call, conversation: "c1", since: at(1), until: at(59)),
        ] {
            let matching = records.filter { filter.matches($0) }
            for reader in [acme, ann] {
                let expected = matching.filter { reader.user == nil || $0.path.user == "ann" && $0.path.project == "web" }
                #expect(try await all(reader, filter).map(\.decision) == expected.reversed(), "\(filter)")
                let replayed = try await other.decisions.decisions(for: reader, filter, after: 0, limit: 1_000)
                #expect(replayed.decisions.map(\.decision) == expected, "\(filter)")
            }
        }
    }

    func replay() async throws {
        let batches = 5
        for batch in 0..<batches {
            try await server.decisions.append(
                try (0..<DecisionLimits.batchRows).map { try Self.record("d\(batch)-\($0)", tool: $0 % 2 == 0 ? "mail" : "refund") })
            try await server.decisions.append(outcomes: [try Self.outcome("d\(batch)-3")])
        }
        var (cursor, pages, seqs): (Int64, [Int], [Int64]) = (0, [], [])
        while true {
            let page = try await other.decisions.decisions(for: acme, DecisionFilter(), after: cursor, limit: 5_000)
            pages.append(page.decisions.count)
            seqs += page.decisions.map(\.seq)
            guard let next = page.next else { break }
            cursor = next
        }
        #expect(pages == [DecisionLimits.replayPage, batches * DecisionLimits.batchRows - DecisionLimits.replayPage])
        #expect(seqs == seqs.sorted() && Set(seqs).count == batches * DecisionLimits.batchRows)
        let mail = try await other.decisions.decisions(for: acme, DecisionFilter(tool: "mail"), after: 258, limit: 2)
        #expect(mail.decisions.map(\.decision.id) == ["d1-2", "d1-4"] && mail.next == 262)
    }

    func sessions() async throws {
        try await server.decisions.append([
            try Self.record("a"), try Self.record("b", .deny), try Self.record("c", kind: .admission, tool: ""),
            try Self.record("d", tool: "mail", rule: "policy/1", subject: nil), try Self.record("e", rule: ToolDecision.replayRule),
            try Self.record("f", user: "bob"), try Self.record("g", project: "app"), try Self.record("h", org: "beta"),
            try Self.record("i", conversation: "c2"), try Self.record("j", conversation: nil), try Self.record("k", user: nil),
            try Self.record("l", run: "r2", subject: "43", approval: "apr_1"), try Self.record("m"),
        ])
        try await server.decisions.append(outcomes: [
            try Self.outcome("m"), try Self.outcome("a", .error), try Self.outcome("l"), try Self.outcome("d", .unknown),
        ])
        func calls(
            _ user: String? = "ann", _ conversation: String = "c1", _ limit: Int = 100, key: String? = nil
        ) async throws -> [RecordedCall] {
            let owner = try ConversationOwner(org: "acme", project: "web", user: user, key: key)
            return try await other.decisions.sessionCalls(of: owner, conversation: conversation, limit: limit)
        }
        let expected = [
            RecordedCall(tool: "refund", subject: "42", isDone: false, isApproved: false),
            RecordedCall(tool: "mail", subject: "", isDone: false, isApproved: false),
            RecordedCall(tool: "refund", subject: "43", isDone: true, isApproved: true),
            RecordedCall(tool: "refund", subject: "42", isDone: true, isApproved: false),
        ]
        #expect(try await calls() == expected)
        #expect(try await calls("ann", "c1", 4) == expected)
        #expect(try await calls("ann", "c1", 3) == expected, "one more says that there are more")
        #expect(try await calls("ann", "c1", 1) == Array(expected.prefix(2)))
        #expect(try await calls("ann", "c2").count == 1)
        #expect(try await calls(nil, key: "k1").count == 1, "a key of no user is by itself")
        #expect(try await calls(nil, key: "k2").isEmpty)
        #expect(try await calls(nil).isEmpty)
        #expect(try await calls("bob").count == 1)
        #expect(try await calls("ann", "c3").isEmpty)
        #expect(try await calls("ann", "c\u{0}").isEmpty)
    }
}

extension DecisionFilter {
    fileprivate func matches(_ one: ToolDecision) -> Bool {
        let texts: [(String?, String?)] = [
            (run, one.run), (tool, one.tool), (user, one.path.user), (rule, one.rule), (conversation, one.conversation),
        ]
        guard texts.allSatisfy({ wanted, found in wanted == nil || wanted == found }) else { return false }
        guard decision == nil || decision == one.decision, kind == nil || kind == one.kind else { return false }
        if let since, one.at < since { return false }
        if let until, one.at >= until { return false }
        return true
    }
}
