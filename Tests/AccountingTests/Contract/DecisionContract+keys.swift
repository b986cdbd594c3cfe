import Accounting
import Testing

extension DecisionContract {
    func caller(_ user: String? = "ann", project: String = "web", key: String? = "k1") throws -> CallerHandle {
        CallerHandle(try TenancyPath(org: "acme", project: project, user: user, key: key))
    }

    private func begin(
        _ key: String, by process: Process? = nil, caller: CallerHandle? = nil, digest: String = "aa", claim: Int64 = 60_000
    ) async throws -> IdempotencyAnswer {
        try await (process ?? server).keys.begin(
            try caller ?? self.caller(), IdempotencyKey(key), digest: digest, claim: Milliseconds(claim))
    }

    private func claim(_ key: String, caller: CallerHandle? = nil, claim: Int64 = 60_000) async throws -> IdempotencyClaim {
        guard case .new(let made) = try await begin(key, caller: caller, claim: claim) else { throw CounterStoreContract.Unexpected.reply }
        return made
    }

    func onceOnly() async throws {
        let key = "order/é $1 '"
        let made = try await claim(key)
        #expect(try await begin(key) == .inFlight(owner: "one"))
        #expect(try await begin(key, by: other) == .inFlight(owner: "one"))
        #expect(try await begin(key, digest: "ab") == .conflict)
        let outcome = Array(UInt8.min...UInt8.max)
        #expect(try await server.keys.finish(made, outcome: outcome))
        #expect(try await server.keys.finish(made, outcome: outcome), "repeating it is safe")
        #expect(try await !server.keys.finish(made, outcome: []))
        #expect(try await !server.keys.abandon(made))
        #expect(try await begin(key) == .done(outcome))
        #expect(try await begin(key, by: other) == .done(outcome), "also after a restart")
        #expect(try await begin(key, by: other, digest: "ab") == .conflict)
        clock.advance(Milliseconds(3_600_000))
        #expect(try await begin(key) == .done(outcome))
        #expect(try await server.keys.finish(try await claim("empty"), outcome: []))
        #expect(try await begin("empty") == .done([]))
        // To a database these are two keys.
        _ = try await claim("\u{E9}")
        _ = try await claim("e\u{301}")
    }

    func claimsRunOut() async throws {
        let made = try await claim("a")
        clock.advance(Milliseconds(59_999))
        #expect(try await begin("a", by: other) == .inFlight(owner: "one"))
        clock.advance(Milliseconds(1))
        #expect(try await begin("a", by: other) == .unknown)
        #expect(try await begin("a") == .unknown, "its own process says no more")
        #expect(try await begin("a", digest: "ab") == .conflict)
        #expect(try await server.keys.finish(made, outcome: [1]))
        #expect(try await begin("a", by: other) == .done([1]))
        await #expect(throws: IdempotencyError.claimTooLong) { try await begin("b", claim: IdempotencyLimits.claim.rawValue + 1) }
        await #expect(throws: IdempotencyError.badDigest) { try await begin("b", digest: "AA") }
        await #expect(throws: IdempotencyError.outcomeTooLong) {
            try await server.keys.finish(made, outcome: Array(repeating: 0, count: IdempotencyLimits.outcomeBytes + 1))
        }
    }

    func abandoned() async throws {
        let first = try await claim("a")
        #expect(try await server.keys.abandon(first))
        #expect(try await !server.keys.abandon(first))
        let second = try await claim("a")
        #expect(try await !server.keys.finish(first, outcome: [1]), "it is another's claim now")
        #expect(try await !server.keys.abandon(first))
        #expect(try await other.keys.finish(second, outcome: [2]))
        #expect(try await begin("a") == .done([2]))
    }

    func callers() async throws {
        let callers = [
            try caller(), try caller("bob"), try caller(project: "app"), try caller(nil), try caller(nil, key: "k2"),
            try caller(nil, key: nil), try caller("key:k1"),
        ]
        for (number, caller) in callers.enumerated() {
            #expect(try await server.keys.finish(try await claim("a", caller: caller), outcome: [UInt8(number)]))
        }
        for (number, caller) in callers.enumerated() { #expect(try await begin("a", caller: caller) == .done([UInt8(number)])) }
        #expect(try await begin("a", caller: try caller(key: "k9")) == .done([0]), "a user's keys share them")
        #expect(CallerHandle(try UserHandle(org: "acme", project: "web", user: "ann")) == callers[0])
    }

    func retention() async throws {
        let made = try await claim("a")
        #expect(try await server.keys.finish(made, outcome: [1]))
        let lost = try await claim("b")
        clock.advance(Milliseconds(60_000) + IdempotencyLimits.retention - Milliseconds(1))
        #expect(try await begin("a") == .done([1]))
        #expect(try await begin("b") == .unknown)
        clock.advance(Milliseconds(1))
        let again = try await claim("a")
        let found = try await claim("b")
        #expect(try await !server.keys.finish(lost, outcome: [9]))
        #expect(try await server.keys.finish(again, outcome: [2]))
        #expect(try await server.keys.finish(found, outcome: [3]))
        #expect(try await begin("a") == .done([2]))
        #expect(try await begin("b") == .done([3]))
    }

    func race() async throws {
        let answers = try await withThrowingTaskGroup(of: IdempotencyAnswer.self) { group in
            for number in 0..<16 { group.addTask { try await begin("a", by: number % 2 == 0 ? server : other) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let claims = answers.filter { if case .new = $0 { true } else { false } }
        let waiting = answers.filter { if case .inFlight = $0 { true } else { false } }
        #expect(claims.count == 1 && waiting.count == 15)
    }

    func keyLimit() async throws {
        let caller = try caller()
        let filled = IdempotencyLimits.keys - 1
        // In memory every begin looks at every key: there the rule itself is tested (`IdempotencyUse`).
        guard let execute = server.execute else { return }
        try await execute(
            """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(filled))
            INSERT INTO idempotency_keys (org, project, caller, key, digest, holder, token, claim_ends, kept_until, bytes)
            SELECT 'acme', 'web', 'user:ann', 'f' || i, 'aa', 'one', 1, \(clock.now().rawValue),
            \((clock.now() + IdempotencyLimits.retention).rawValue), 0 FROM n
            """)
        let last = try await withThrowingTaskGroup(of: IdempotencyAnswer.self) { group in
            for number in 0..<8 { group.addTask { try await begin("last\(number)", caller: caller) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(last.count { $0 == .full } == 7)
        let made = last.compactMap { answer -> IdempotencyClaim? in if case .new(let claim) = answer { claim } else { nil } }
        #expect(try await begin("more") == .full)
        _ = try await claim("more", caller: try self.caller("bob"))
        #expect(try await server.keys.abandon(try #require(made.first)))
        _ = try await claim("more")
        clock.advance(IdempotencyLimits.retention)
        _ = try await claim("next", caller: caller)
    }

    func byteLimit() async throws {
        let whole = IdempotencyLimits.callerBytes / IdempotencyLimits.outcomeBytes
        let outcome = Array(repeating: UInt8(7), count: IdempotencyLimits.outcomeBytes)
        let late = try await claim("late", claim: 1)
        clock.advance(Milliseconds(1))
        for number in 0..<whole - 1 {
            #expect(try await server.keys.finish(try await claim("d\(number)"), outcome: outcome))
        }
        let last = try await claim("last")
        #expect(try await begin("more") == .full, "the room of a call that is under way is taken")
        #expect(try await !server.keys.finish(late, outcome: [1]))
        #expect(try await begin("late") == .unknown)
        #expect(try await server.keys.finish(last, outcome: Array(outcome.dropLast())))
        #expect(try await begin("more") == .full)
        #expect(try await server.keys.finish(late, outcome: [1]), "to the byte")
        #expect(try await begin("late") == .done([1]))
        #expect(try await begin("d0") == .done(outcome))
        _ = try await claim("more", caller: try caller("bob"))
    }

    func cancelled() async throws {
        let made = try await claim("a")
        let work = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await server.decisions.append([try Self.decision("d1")])
            return try await server.keys.finish(made, outcome: [1])
        }
        #expect(try await work.value)
        #expect(try await begin("a", by: other) == .done([1]))
        #expect(try await server.decisions.decision(for: acme, id: "d1") != nil)
    }
}
