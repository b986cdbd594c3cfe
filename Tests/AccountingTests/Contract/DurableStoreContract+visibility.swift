import Accounting
import Testing

/// The items of export, of "why was I cut" and of key settings.
extension DurableStoreContract {
    func queries() async throws {
        let ledger = server.ledger
        _ = try await ledger.append(try rows(7))
        _ = try await ledger.append(try rows(3, org: "beta"))
        func ids(_ query: LedgerQuery, limit: Int = 2) async throws -> [String] {
            var found: [String] = []
            try await tool.ledger.forEachPage(of: query, limit: limit) { page in
                #expect(page.count <= limit)
                found += page.map(\.chargeID)
            }
            return found
        }
        let acme = (0..<7).map { "acme-\($0)" }
        #expect(try await ids(LedgerQuery()) == acme + ["beta-0", "beta-1", "beta-2"])
        #expect(try await ids(LedgerQuery(scope: .org("acme"))) == acme)
        #expect(try await ids(LedgerQuery(scope: .key("k1"), from: now + Milliseconds(2))) == Array(acme[2...]) + ["beta-2"])
        #expect(
            try await ids(LedgerQuery(scope: .org("acme"), from: now + Milliseconds(2), to: now + Milliseconds(5))) == Array(acme[2..<5]))
        #expect(try await ids(LedgerQuery(run: "r1"), limit: 100).count == 10)
        #expect(try await ids(LedgerQuery(run: "nobody's")).isEmpty)
        #expect(try await ids(LedgerQuery(scope: .org("nobody"))).isEmpty)
    }

    func chargesOfRuns() async throws {
        func row(
            _ id: String, run: String, _ kind: LedgerRow.Kind, nano: Int64, user: String?, model: String = "demo", hour: Int64
        ) throws
            -> LedgerRow
        {
            let path = try TenancyPath(org: "acme", project: user == nil ? "lab" : "web", user: user, key: user.map { "key-\($0)" })
            return LedgerRow(
                chargeID: id, kind: kind, lease: "l-\(run)", attribution: Attribution(path: path, run: run, model: model, priceVersion: id),
                nanoUSD: nano, usage: UsageClasses(inputFresh: 1, inputCacheRead: 2, outputVisible: 3, outputReasoning: 4),
                requests: kind == .settle ? 1 : 0, estimated: id == "b2", at: now + Milliseconds(hour * 3_600_000))
        }
        _ = try await server.ledger.append([
            try row("a1", run: "a", .commit, nano: 5, user: "ann", hour: 0),
            try row("b1", run: "b", .commit, nano: 50, user: "bob", hour: 1),
            try row("a2", run: "a", .settle, nano: -2, user: "ann", hour: 13),
            try row("b2", run: "b", .settle, nano: 3, user: "bob", hour: 2),
            try row("b3", run: "b", .overrun, nano: 1_000, user: "bob", hour: 2),
            try row("c1", run: "c", .settle, nano: 7, user: nil, model: "other", hour: 14),
        ])
        let ledger = tool.ledger
        let all = try await ledger.runs(LedgerQuery(scope: .org("acme")), before: nil, limit: 2)
        #expect(all.runs.map(\.attribution.run) == ["c", "b"])
        let rest = try await ledger.runs(LedgerQuery(scope: .org("acme")), before: all.next, limit: 2)
        let first = try #require(rest.runs.first)
        #expect(rest.runs.count == 1 && rest.next == nil)
        #expect(first.attribution.run == "a" && first.sum.nanoUSD == 3 && first.sum.requests == 1 && !first.estimated)
        #expect(first.sum.usage == UsageClasses(inputFresh: 2, inputCacheRead: 4, outputVisible: 6, outputReasoning: 8))
        #expect(first.first == now && first.last == now + Milliseconds(13 * 3_600_000) && first.attribution.path.user == "ann")
        let bob = try await ledger.runs(LedgerQuery(user: "bob"), before: nil, limit: 9).runs
        #expect(bob.map(\.sum.nanoUSD) == [53] && bob.first?.estimated == true, "a note is no charge")
        let day = try await ledger.runs(LedgerQuery(scope: .key("key-ann"), to: now + Milliseconds(3_600_000)), before: nil, limit: 9).runs
        #expect(day.map(\.sum.nanoUSD) == [5], "within the span")
        #expect(try await ledger.rows(LedgerQuery(user: "ann"), after: nil, limit: 9).rows.map(\.chargeID) == ["a1", "a2"])
        let midnight = WindowSpan(.day, containing: now).end
        #expect(
            try await ledger.days(LedgerQuery(scope: .org("acme"))) == [
                DayCharges(day: midnight - Milliseconds(86_400_000), key: "key-ann", user: "ann", model: "demo", nanoUSD: 5),
                DayCharges(day: midnight - Milliseconds(86_400_000), key: "key-bob", user: "bob", model: "demo", nanoUSD: 53),
                DayCharges(day: midnight, key: nil, user: nil, model: "other", nanoUSD: 7),
                DayCharges(day: midnight, key: "key-ann", user: "ann", model: "demo", nanoUSD: -2),
            ])
        #expect(try await ledger.days(LedgerQuery(scope: .org("nobody"))).isEmpty)
    }

    func runEnds() async throws {
        let cut = RunEnd(
            run: "run_1", path: try Make.path(), model: "demo", outcome: .cut, detail: #"{"reason":"budget_exceeded"}"#, at: now)
        let failed = RunEnd(
            run: "run_2", path: try Make.path(user: nil, key: nil), model: "demo", outcome: .error, detail: "{}", at: now + Milliseconds(10)
        )
        try await server.runEnds.append([])
        try await server.runEnds.append([cut, failed])
        let later = RunEnd(run: "run_1", path: try Make.path(org: "beta"), model: "x", outcome: .error, detail: "{}", at: now)
        try await tool.runEnds.append([later])
        #expect(try await tool.runEnds.find(run: "run_1") == cut, "the first end stays")
        #expect(try await tool.runEnds.find(run: "run_2") == failed)
        #expect(try await tool.runEnds.find(run: "run_3") == nil)
        #expect(try await tool.runEnds.forget(before: now + Milliseconds(10)) == 1)
        #expect(try await server.runEnds.find(run: "run_1") == nil)
        #expect(try await server.runEnds.find(run: "run_2") == failed)
    }

    func revocations() async throws {
        #expect(try await server.revocations.after(0).isEmpty)
        try await tool.revocations.add(.run("run_1"), org: "acme", author: "command line", reason: "it loops", at: now)
        try await server.revocations.add(
            .scope(.user(org: "acme", project: "web", user: "ann")), org: nil, author: "k1", at: now + Milliseconds(1))
        let first = try await server.revocations.after(0)
        #expect(first.map(\.target) == [.run("run_1"), .scope(.user(org: "acme", project: "web", user: "ann"))])
        #expect(first.map(\.org) == ["acme", nil] && first.map(\.reason) == ["it loops", nil])
        let (own, other) = (try Make.path(), try Make.path(org: "beta"))
        #expect(first.map { $0.covers(run: "run_1", path: own) } == [true, own.user == "ann"])
        #expect(first.map { $0.covers(run: "run_1", path: other) } == [false, false], "not of another organisation")
        let ofKey = Revocation(id: 1, target: .scope(.key("k1")), author: "t", at: now)
        #expect(ofKey.covers(run: "r", path: own) && !ofKey.covers(run: "r", path: own, credential: "k2"), "the key that was shown")
        #expect(first.map(\.author) == ["command line", "k1"] && first.map(\.at) == [now, now + Milliseconds(1)])

        let key = try APIKey(id: "k8", org: "acme", project: "web", createdAt: now)
        try await server.keys.create(key, hash: "h8")
        #expect(try await tool.keys.revoke(id: "k8", author: "k1", at: now + Milliseconds(2)))
        #expect(try await !tool.keys.revoke(id: "k8", author: "k1", at: now + Milliseconds(3)), "once")
        let last = try #require(first.last)
        #expect(try await server.revocations.after(last.id).map(\.target) == [.scope(.key("k8"))])

        // Whoever has read up to an id has missed none below it, whoever else is writing.
        let (server, tool, now) = (server, tool, now)
        await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<20 {
                group.addTask {
                    try await (index % 2 == 0 ? server : tool).revocations.add(.run("race-\(index)"), org: nil, author: "t", at: now)
                }
            }
        }
        var seen: [Revocation.Target] = []
        var position = last.id
        while let page = try? await tool.revocations.after(position), let end = page.last {
            seen += page.map(\.target)
            position = end.id
        }
        #expect(Set(seen).count == 21 && seen.count == 21)
        try await server.revocations.forget(before: now + Milliseconds(1))
        #expect(try await tool.revocations.after(0).map(\.at) == [now + Milliseconds(1), now + Milliseconds(2)])
        try await tool.revocations.add(.run("run_9"), org: nil, author: "t", at: now)
        #expect(try await server.revocations.after(position).map(\.target) == [.run("run_9")], "ids are not used twice")
    }

    private func set(_ settings: KeySettings, in keys: any KeyStore) async throws -> (before: APIKey, after: APIKey)? {
        try await keys.change("k9") { $0 = settings }
    }

    func keySettings() async throws {
        var settings = KeySettings()
        settings.alias = "night shift"
        settings.models = ["demo", "gpt 5"]
        settings.metadata = #"{"team":"a"}"#
        let key = try APIKey(id: "k9", org: "acme", project: "web", user: "ann", createdAt: now, settings: settings)
        try await server.keys.create(key, hash: "h9")
        #expect(try await tool.keys.active(hash: "h9") == key)
        settings.expiresAt = now + Milliseconds(1_000)
        settings.isBlocked = true
        settings.onDisconnect = .drain
        settings.alias = nil
        #expect(try await set(settings, in: tool.keys)?.before == key)
        #expect(try await server.keys.find(id: "k9")?.settings == settings)
        #expect(try await server.keys.list(org: "acme", after: nil, limit: 10).map(\.settings) == [settings])
        #expect(try await tool.keys.change("no key", { _ in }) == nil)
        #expect(try await server.keys.revoke(id: "k9", author: "t", at: now))
        #expect(try await server.keys.active(hash: "h9") == nil)
        #expect(try await server.keys.find(hash: "h9")?.id == "k9")
        settings.onDisconnect = nil
        #expect(try await set(settings, in: server.keys)?.after.settings == settings)
        #expect(try await tool.keys.find(id: "k9")?.settings == settings)
        // Changes at the same time: each is of what the others have left.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<20 {
                let keys = index.isMultiple(of: 2) ? server.keys : tool.keys
                group.addTask { try await keys.change("k9") { $0.models.append("m\(index)") } }
            }
            try await group.waitForAll()
        }
        #expect(try await tool.keys.find(id: "k9")?.settings.models.count == settings.models.count + 20)
        settings.isBlocked = false
        #expect(!settings.refuses(at: now) && settings.refuses(at: now + Milliseconds(1_000)))
    }
}
