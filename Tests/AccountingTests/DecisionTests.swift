import Accounting
import Synchronization
import Testing

@Suite("Decisions and the writer that keeps them")
struct DecisionTests {
    @Test("what we made has to be in order, what others made is brought into order")
    func text() throws {
        func decision(
            id: String = "d", run: String = "r", call: String = "c", tool: String = "t", digest: String = "0a", arguments: String? = nil,
            message: String? = nil, roles: [String] = []
        ) throws -> ToolDecision {
            try ToolDecision(
                id: id, path: TenancyPath(org: "acme", project: "web"), run: run, callID: call, source: .code, tool: tool,
                argumentsDigest: digest, arguments: arguments, decision: .deny, message: message, roles: roles, at: ManualClock.monday)
        }
        for id in ["", "a b", "é", "\u{0}", String(repeating: "x", count: 129)] {
            #expect(throws: DecisionError.malformed("id")) { try decision(id: id) }
            #expect(throws: DecisionError.malformed("run")) { try decision(run: id) }
        }
        for digest in ["", "AA", "xy", String(repeating: "a", count: 129)] {
            #expect(throws: DecisionError.malformed("arguments digest")) { try decision(digest: digest) }
        }
        #expect(throws: DecisionError.malformed("roles")) { try decision(roles: ["a b"]) }
        #expect(throws: DecisionError.malformed("roles")) { try decision(roles: Array(repeating: "a", count: 101)) }
        #expect(throws: DecisionError.malformed("arguments")) { try decision(arguments: "\u{0}") }
        #expect(try decision(arguments: String(repeating: "1", count: 8_192)).arguments?.utf8.count == 8_192)
        #expect(try decision(arguments: String(repeating: "1", count: 8_193)).arguments == nil)
        #expect(try decision(tool: "a\u{0}b\n").tool == "a\u{FFFD}b\u{FFFD}")
        #expect(try decision(call: String(repeating: "é", count: 65)).callID == String(repeating: "é", count: 64))
        let long = try decision(message: "a" + String(repeating: "🧾", count: 500)).message
        #expect(long?.utf8.count == 1_021, "cut between two scalars")
    }

    @Test("what is no call may have no run and no arguments; what a session is told apart by is never cut")
    func otherKinds() throws {
        func record(
            _ kind: ToolDecision.Kind, run: String = "", digest: String = "", conversation: String? = nil, subject: String? = nil,
            approval: String? = nil, details: String? = nil
        ) throws -> ToolDecision {
            try ToolDecision(
                id: "d", path: TenancyPath(org: "acme", project: TenancyName.noProject), run: run, callID: "", source: .operator, tool: "",
                argumentsDigest: digest, arguments: nil, decision: .allow, at: ManualClock.monday, kind: kind, conversation: conversation,
                subject: subject, approval: approval, details: details)
        }
        for kind in ToolDecision.Kind.allCases {
            if kind.needsRun {
                #expect(throws: DecisionError.malformed("run")) { try record(kind) }
            } else {
                #expect(try record(kind).run.isEmpty)
            }
            #expect(throws: DecisionError.malformed("run")) { try record(kind, run: "a b") }
        }
        #expect(throws: DecisionError.malformed("arguments digest")) { try record(.call, run: "r") }
        #expect(throws: DecisionError.malformed("arguments digest")) { try record(.change, digest: "X") }
        for text in ["", "a b", String(repeating: "x", count: 129)] {
            #expect(throws: DecisionError.malformed("conversation")) { try record(.change, conversation: text) }
            #expect(throws: DecisionError.malformed("approval")) { try record(.change, approval: text) }
        }
        for text in ["\u{0}", String(repeating: "x", count: 1_025)] {
            #expect(throws: DecisionError.malformed("subject")) { try record(.change, subject: text) }
            #expect(!ToolDecision.takes(subject: text))
        }
        #expect(try record(.change, subject: String(repeating: "é", count: 512)).subject?.utf8.count == 1_024)
        #expect(throws: DecisionError.malformed("details")) { try record(.change, details: "\u{0}") }
        #expect(try record(.change, details: String(repeating: "1", count: 32_768)).details?.utf8.count == 32_768)
        #expect(try record(.change, details: String(repeating: "1", count: 32_769)).details == nil)
    }

    @Test("keys of calls have a length and no control characters")
    func keys() throws {
        for key in ["", "a\nb", String(repeating: "x", count: 129)] {
            #expect(throws: IdempotencyError.badKey) { try IdempotencyKey(key) }
        }
        #expect(try IdempotencyKey(String(repeating: "x", count: 128)).text.utf8.count == 128)
    }

    @Test("a caller has room for what is under way, to the key and the byte")
    func use() {
        let (keys, whole, all) = (IdempotencyLimits.keys, IdempotencyLimits.outcomeBytes, IdempotencyLimits.callerBytes)
        #expect(IdempotencyUse(keys: keys - 1, bytes: 0, reserved: 0).takesBegin)
        #expect(!IdempotencyUse(keys: keys, bytes: 0, reserved: 0).takesBegin)
        #expect(IdempotencyUse(keys: 1, bytes: all - 2 * whole, reserved: 1).takesBegin)
        #expect(!IdempotencyUse(keys: 1, bytes: all - 2 * whole + 1, reserved: 1).takesBegin)
        let full = IdempotencyUse(keys: 1, bytes: all - whole - 1, reserved: 1)
        #expect(full.takesOutcome(bytes: 1, isReserved: false) && !full.takesOutcome(bytes: 2, isReserved: false))
        #expect(full.takesOutcome(bytes: whole, isReserved: true))
    }

    @Test("decisions that wait share a transaction of so many rows, and each caller has its answer")
    func batches() async throws {
        let store = GatedStore()
        let writer = DecisionWriter(store)
        let kept = await withTaskGroup(of: Bool.self) { group in
            group.addTask { await writer.append(Self.decision(0)) }
            await store.begun(1)
            for number in 1...600 { group.addTask { await writer.append(Self.decision(number)) } }
            while await writer.waiting < 600 { await Task.yield() }
            store.open()
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(kept == 601)
        #expect(store.batches == [1, 256, 256, 88])
        let outcome = try DecisionContract.outcome("d0")
        #expect(await writer.append(outcome))
    }

    @Test("a store that fails keeps nothing, and the next decision tries again")
    func failures() async throws {
        let (store, log) = (GatedStore(), ErrorLog())
        store.open()
        let writer = DecisionWriter(store) { error in log.errors.withLock { $0.append(error) } }
        store.fails(with: .unavailable("disk full"))
        #expect(await !writer.append(Self.decision(1)))
        store.fails(with: nil)
        #expect(await writer.append(Self.decision(1)))
        #expect(log.errors.withLock { $0 } == [.unavailable("disk full")])
    }

    @Test("one caller's mistake is not the others'")
    func mistakes() async throws {
        let store = GatedStore()
        let writer = DecisionWriter(store)
        let answers = await withTaskGroup(of: (String, Bool).self) { group in
            group.addTask { ("d0", await writer.append(Self.decision(0))) }
            await store.begun(1)
            group.addTask { ("right", await writer.append(Self.decision(2))) }
            group.addTask { ("wrong", await writer.append(Self.decision(0, .deny))) }
            while await writer.waiting < 2 { await Task.yield() }
            store.open()
            return await group.reduce(into: [String: Bool]()) { $0[$1.0] = $1.1 }
        }
        #expect(answers == ["d0": true, "right": true, "wrong": false])
        let orphan = try DecisionContract.outcome("d9")
        #expect(await !writer.append(orphan))
    }

    @Test("a full queue refuses at once, and what waits is kept")
    func fullQueue() async throws {
        let store = GatedStore()
        let writer = DecisionWriter(store)
        let kept = await withTaskGroup(of: Bool.self) { group in
            group.addTask { await writer.append(Self.decision(0)) }
            await store.begun(1)
            for number in 1...DecisionLimits.waitingRows { group.addTask { await writer.append(Self.decision(number)) } }
            while await writer.waiting < DecisionLimits.waitingRows { await Task.yield() }
            #expect(await !writer.append(Self.decision(-1)))
            store.open()
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(kept == DecisionLimits.waitingRows + 1)
    }

    private static func decision(_ number: Int, _ verdict: ToolDecision.Verdict = .allow) -> ToolDecision {
        guard let decision = try? DecisionContract.decision("d\(number)", verdict) else { fatalError("a decision of a test") }
        return decision
    }
}

private final class ErrorLog: Sendable {
    let errors = Mutex<[DecisionError]>([])
}

/// A store in memory whose appends wait until it is opened.
private final class GatedStore: DecisionStore {
    private struct State {
        var isOpen = false
        var error: DecisionError?
        var batches: [Int] = []
    }

    private let state = Mutex(State())
    private let store = MemoryDecisionStore()

    var batches: [Int] { state.withLock { $0.batches } }

    func open() { state.withLock { $0.isOpen = true } }

    func fails(with error: DecisionError?) { state.withLock { $0.error = error } }

    func begun(_ count: Int) async {
        while batches.count < count { await Task.yield() }
    }

    func append(_ decisions: [ToolDecision]) async throws(DecisionError) {
        state.withLock { $0.batches.append(decisions.count) }
        while !state.withLock({ $0.isOpen }) { await Task.yield() }
        if let error = state.withLock({ $0.error }) { throw error }
        try await store.append(decisions)
    }

    func append(outcomes: [ToolOutcome]) async throws(DecisionError) { try await store.append(outcomes: outcomes) }

    func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, before cursor: Int64?, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        try await store.decisions(for: reader, filter, before: cursor, limit: limit)
    }

    func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, after cursor: Int64, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        try await store.decisions(for: reader, filter, after: cursor, limit: limit)
    }

    func decision(for reader: DecisionReader, id: String) async throws(DecisionError) -> RecordedDecision? {
        try await store.decision(for: reader, id: id)
    }

    func sessionCalls(
        of owner: ConversationOwner, conversation: String, limit: Int
    ) async throws(DecisionError) -> [RecordedCall] {
        try await store.sessionCalls(of: owner, conversation: conversation, limit: limit)
    }
}
