import Accounting
import Testing

/// What every store of decisions and of idempotency keys has to do, whatever it is made of. Each function is one item; the caller gives
/// an empty store, and what opens it anew, as a process does that is started again.
struct DecisionContract {
    struct Process: Sendable {
        let decisions: any DecisionStore
        let keys: any IdempotencyStore
        /// Runs a statement in the store's own language; nil for a store that has none.
        let execute: (@Sendable (String) async throws -> Void)?
    }

    let server: Process
    /// A process of another holder, beside the first or after it.
    let other: Process
    let clock: ManualClock

    static let items: [(name: String, run: @Sendable (DecisionContract) async throws -> Void)] = [
        ("a decision comes back as it was made, with its outcome", { try await $0.decisionAndOutcome() }),
        ("an append is all or nothing, and repeating it is safe", { try await $0.repetition() }),
        ("the first outcome stays, and there is none without a decision", { try await $0.outcomes() }),
        ("decisions and outcomes of an org are numbered without gaps, also when many write", { try await $0.numbers() }),
        ("nobody reads another tenant's decisions", { try await $0.tenants() }),
        ("pages go from the newest to the oldest, filtered", { try await $0.pages() }),
        ("records of more than calls come back as they were made, and are filtered", { try await $0.kinds() }),
        ("a replay goes through all decisions from the oldest on", { try await $0.replay() }),
        ("a session's calls are those of its owner that were allowed, in their order", { try await $0.sessions() }),
        ("no statement changes or removes a decision", { try await $0.immutable() }),
        ("a key is claimed once, and its outcome is told again", { try await $0.onceOnly() }),
        ("a claim that ran out is never given again, and its outcome may still come", { try await $0.claimsRunOut() }),
        ("a key that was abandoned is free", { try await $0.abandoned() }),
        ("callers do not share keys", { try await $0.callers() }),
        ("keys are kept for a day, and an old claim says nothing of a new one", { try await $0.retention() }),
        ("many who claim a key at once get one claim", { try await $0.race() }),
        ("a caller has so many keys and no more", { try await $0.keyLimit() }),
        ("a caller has so many bytes and no more", { try await $0.byteLimit() }),
        ("outcomes are kept when the caller's task was cancelled", { try await $0.cancelled() }),
    ]

    static let hex = String(repeating: "0f", count: 32)

    static func decision(
        _ id: String, org: OrgID = "acme", project: String = "web", user: String? = "ann", run: String = "r1", tool: String = "refund",
        _ verdict: ToolDecision.Verdict = .allow, arguments: String? = #"{"a":1}"#
    ) throws -> ToolDecision {
        try ToolDecision(
            id: id, path: TenancyPath(org: org, project: project, user: user, key: "k1"), run: run, callID: "call/\(id)", source: .model,
            tool: tool, argumentsDigest: hex, arguments: arguments, decision: verdict, at: ManualClock.monday)
    }

    static func outcome(_ id: String, org: OrgID = "acme", _ status: ToolOutcome.Status = .ok) throws -> ToolOutcome {
        try ToolOutcome(
            org: org, decision: id, status: status, resultDigest: hex, bytes: 5, elapsed: Milliseconds(7),
            at: ManualClock.monday + Milliseconds(7))
    }

    let acme = DecisionContract.reader("acme")

    static func reader(_ org: OrgID) -> DecisionReader {
        let handle = OrgHandle(org: org)
        return .org(handle)
    }

    func all(_ reader: DecisionReader? = nil, _ filter: DecisionFilter = DecisionFilter()) async throws -> [RecordedDecision] {
        try await server.decisions.decisions(for: reader ?? acme, filter, before: nil, limit: 1_000).decisions
    }

    // MARK: Decisions

    func decisionAndOutcome() async throws {
        let denied = try ToolDecision(
            id: "d-1", path: TenancyPath(org: "acme", project: "web"), run: "r1", callID: "1", parentCallID: "0", source: .code,
            tool: "refund\u{0}🧾é", argumentsDigest: Self.hex, arguments: #"{"q":"'; DROP TABLE x; -- $1 \\ é"}"#, decision: .deny,
            rule: "policy/7", code: "policy_denied", message: "Not \"this\"\nway. '", roles: ["support", "de:lead"], at: ManualClock.monday)
        let allowed = try Self.decision("d-2", arguments: nil)
        try await server.decisions.append([denied, allowed])
        try await server.decisions.append(outcomes: [try Self.outcome("d-2", .timeout)])
        let found = try await other.decisions.decisions(for: acme, DecisionFilter(), before: nil, limit: 10)
        #expect(found.decisions.map(\.decision) == [allowed, denied])
        #expect(found.decisions.map(\.outcome) == [try Self.outcome("d-2", .timeout), nil])
        #expect(found.decisions.map(\.seq) == [2, 1] && found.decisions.map(\.outcomeSeq) == [3, nil] && found.next == nil)
        #expect(try await server.decisions.decision(for: acme, id: "d-2") == found.decisions[0])
        #expect(try await server.decisions.decision(for: acme, id: "d-3") == nil)
        try await server.decisions.append([])
        try await server.decisions.append(outcomes: [])
    }

    func repetition() async throws {
        let first = try (1...3).map { try Self.decision("d\($0)") }
        try await server.decisions.append(first)
        try await server.decisions.append(first + first)
        let taken = try Self.decision("d2", .deny)
        await #expect(throws: DecisionError.idsTaken([DecisionID(org: "acme", id: "d2")])) {
            try await server.decisions.append([try Self.decision("d4"), taken])
        }
        await #expect(throws: DecisionError.idsTaken([DecisionID(org: "acme", id: "d5")])) {
            try await server.decisions.append([try Self.decision("d5"), try Self.decision("d5", .deny)])
        }
        #expect(try await all().map(\.seq) == [3, 2, 1])
        try await server.decisions.append([try Self.decision("d2", org: "beta")])
        #expect(try await all(Self.reader("beta")).map(\.seq) == [1], "another org has ids and numbers of its own")
        let many = try (0...DecisionLimits.batchRows).map { try Self.decision("m\($0)") }
        await #expect(throws: DecisionError.tooManyRows) { try await server.decisions.append(many) }
        try await server.decisions.append(Array(many.dropLast()))
    }

    func outcomes() async throws {
        try await server.decisions.append([try Self.decision("d1"), try Self.decision("d2")])
        await #expect(throws: DecisionError.noDecisions([DecisionID(org: "acme", id: "d3")])) {
            try await server.decisions.append(outcomes: [try Self.outcome("d1"), try Self.outcome("d3")])
        }
        await #expect(throws: DecisionError.noDecisions([DecisionID(org: "beta", id: "d1")])) {
            try await server.decisions.append(outcomes: [try Self.outcome("d1", org: "beta")])
        }
        #expect(try await all().allSatisfy { $0.outcome == nil })
        try await server.decisions.append(outcomes: [try Self.outcome("d1", .unknown), try Self.outcome("d1", .ok)])
        try await other.decisions.append(outcomes: [try Self.outcome("d1", .error), try Self.outcome("d2", .error)])
        #expect(try await all().map(\.outcome?.status) == [.error, .unknown])
        #expect(try await all().map(\.outcomeSeq) == [4, 3])
    }

    func numbers() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                let store = writer % 2 == 0 ? server.decisions : other.decisions
                group.addTask {
                    for batch in 0..<4 {
                        let ids = (0..<3).map { "w\(writer)-\(batch)-\($0)" }
                        // Two orgs in either order: nobody waits in a circle.
                        let orgs: [OrgID] = writer % 4 < 2 ? ["acme", "beta"] : ["beta", "acme"]
                        try await store.append(try orgs.flatMap { org in try ids.map { try Self.decision($0, org: org) } })
                        try await store.append(outcomes: try orgs.flatMap { org in try ids.map { try Self.outcome($0, org: org) } })
                    }
                }
            }
            try await group.waitForAll()
        }
        for org in ["acme", "beta"] as [OrgID] {
            let found = try await all(Self.reader(org))
            #expect(found.count == 96)
            #expect((found.map(\.seq) + found.compactMap(\.outcomeSeq)).sorted() == Array(1...192))
            #expect(found.allSatisfy { $0.seq < $0.outcomeSeq ?? 0 })
        }
    }

    func tenants() async throws {
        try await server.decisions.append([
            try Self.decision("a"), try Self.decision("b", user: "bob"), try Self.decision("c", user: nil),
            try Self.decision("d", project: "app"), try Self.decision("e", org: "beta"),
        ])
        let web = DecisionReader.project(try ProjectHandle(org: "acme", project: "web"))
        let ann = DecisionReader.user(try UserHandle(org: "acme", project: "web", user: "ann"))
        #expect(try await all().map(\.decision.id) == ["d", "c", "b", "a"])
        #expect(try await all(web).map(\.decision.id) == ["c", "b", "a"])
        #expect(try await all(ann).map(\.decision.id) == ["a"])
        #expect(try await all(Self.reader("beta")).map(\.decision.id) == ["e"])
        #expect(try await server.decisions.decision(for: web, id: "d") == nil)
        #expect(try await server.decisions.decision(for: ann, id: "b") == nil)
        #expect(try await server.decisions.decision(for: ann, id: "c") == nil)
        #expect(try await server.decisions.decision(for: ann, id: "a")?.seq == 1)
        #expect(try await server.decisions.decision(for: Self.reader("beta"), id: "a") == nil)
    }

    func pages() async throws {
        let decisions = try (0..<DecisionLimits.batchRows).map { number in
            try Self.decision(
                "d\(number)", run: number % 2 == 0 ? "r1" : "r2", tool: number % 3 == 0 ? "mail" : "refund",
                number % 5 == 0 ? .deny : .allow)
        }
        try await server.decisions.append(decisions)
        let store = server.decisions
        let first = try await store.decisions(for: acme, DecisionFilter(), before: nil, limit: 1_000)
        #expect(first.decisions.count == DecisionLimits.page && first.next == 57)
        let second = try await store.decisions(for: acme, DecisionFilter(), before: first.next, limit: 1_000)
        #expect(second.decisions.map(\.seq) == (1...56).reversed().map(Int64.init) && second.next == nil)
        #expect(try await store.decisions(for: acme, DecisionFilter(), before: nil, limit: 0).decisions.map(\.seq) == [256])
        let web = DecisionReader.project(try ProjectHandle(org: "acme", project: "web"))
        let ann = DecisionReader.user(try UserHandle(org: "acme", project: "web", user: "ann"))
        for filter in [
            DecisionFilter(run: "r1"), DecisionFilter(tool: "mail"), DecisionFilter(decision: .deny),
            DecisionFilter(run: "r2", tool: "refund", decision: .allow), DecisionFilter(run: "r2", decision: .deny),
            DecisionFilter(run: "r\u{0}"), DecisionFilter(tool: "' OR 1=1"),
        ] {
            let expected = decisions.filter {
                (filter.run ?? $0.run) == $0.run && (filter.tool ?? $0.tool) == $0.tool && (filter.decision ?? $0.decision) == $0.decision
            }
            for reader in [acme, web, ann] {
                #expect(try await all(reader, filter).map(\.decision) == expected.reversed().prefix(200).map(\.self), "\(filter)")
            }
        }
    }

    func immutable() async throws {
        try await server.decisions.append([try Self.decision("d1")])
        try await server.decisions.append(outcomes: [try Self.outcome("d1")])
        guard let execute = server.execute else { return }
        for statement in [
            "UPDATE tool_decisions SET decision = 'deny'", "DELETE FROM tool_decisions", "UPDATE tool_outcomes SET status = 'error'",
            "DELETE FROM tool_outcomes", "UPDATE decision_heads SET seq = 1", "DELETE FROM decision_heads",
        ] {
            await #expect(throws: (any Error).self, "\(statement)") { try await execute(statement) }
        }
        #expect(try await all().map(\.decision) == [try Self.decision("d1")])
        #expect(try await all().map(\.outcome) == [try Self.outcome("d1")])
    }
}
