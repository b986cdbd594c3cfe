import Accounting
import Testing

/// The items of administration: who is who, lists of keys and budgets, reports of spend.
extension DurableStoreContract {
    func tenants() async throws {
        let (mine, other) = (server.tenants, tool.tenants)
        #expect(try await mine.put(.user(org: "acme", project: "web", user: "zoë"), name: .set("Zoë"), at: now))
        #expect(try await !other.put(.project(org: "acme", project: "web"), name: .keep, at: now + Milliseconds(1)), "made with its user")
        #expect(try await other.put(.project(org: "acme", project: "lab"), name: .set("Lab"), at: now))
        #expect(try await mine.put(.org("größe"), name: .keep, at: now))
        for (id, user) in [("k1", "zoë"), ("k2", nil), ("k3", "ann")] {
            try await mine.create(key: id, user: user, at: now, in: server)
        }
        #expect(try await server.keys.revoke(id: "k2", author: "t", at: now))
        #expect(
            try await other.find(.org("acme")) == TenantRecord(scope: .org("acme"), name: nil, createdAt: now, projects: 2, keys: 2))
        let zoe = Scope.user(org: "acme", project: "web", user: "zoë")
        #expect(try await other.find(zoe) == TenantRecord(scope: zoe, name: "Zoë", createdAt: now, keys: 1))
        #expect(try await other.find(.user(org: "acme", project: "lab", user: "zoë")) == nil)
        #expect(try await other.find(.key("k1")) == nil)
        #expect(try await !mine.put(zoe, name: .remove, at: now))
        #expect(try await other.find(zoe)?.name == nil)
        func all(_ kind: Scope.Kind, org: OrgID? = nil, project: String? = nil) async throws -> [String] {
            var found: [String] = []
            while true {
                let page = try await other.list(kind, org: org, project: project, after: found.last, limit: 1)
                guard let row = page.first else { return found }
                #expect(page.count == 1)
                found.append(row.scope.id)
            }
        }
        #expect(try await all(.org) == ["acme", "größe"])
        #expect(try await all(.org, org: "acme") == ["acme"])
        #expect(try await all(.project) == ["acme/lab", "acme/web"])
        #expect(try await all(.project, org: "größe").isEmpty)
        #expect(try await all(.user, org: "acme", project: "web") == ["acme/web/ann", "acme/web/zoë"])
        #expect(try await all(.user, org: "acme", project: "lab").isEmpty)
        #expect(try await other.list(.project, org: nil, project: nil, after: "no/such/depth", limit: 9).isEmpty)
        #expect(try await other.list(.project, org: "acme", project: nil, after: nil, limit: 9).map(\.name) == ["Lab", nil])
    }

    func keyLists() async throws {
        var settings: [String: KeySettings] = [:]
        settings["k2"] = KeySettings()
        settings["k2"]?.isBlocked = true
        settings["k3"] = KeySettings()
        settings["k3"]?.expiresAt = now
        settings["k4"] = settings["k2"]
        for (id, project, user) in [("k1", "web", "ann"), ("k2", "web", "bob"), ("k3", "lab", nil), ("k4", "web", "ann")] {
            let key = try APIKey(
                id: id, org: "acme", project: project, user: user, createdAt: now, settings: settings[id] ?? KeySettings(),
                kind: id == "k3" ? .serviceAccount : .person)
            try await server.keys.create(key, hash: "h-\(id)")
        }
        try await server.keys.create(try APIKey(id: "k5", org: "beta", project: "web", createdAt: now), hash: "h-k5")
        #expect(try await server.keys.revoke(id: "k4", author: "t", at: now))
        func ids(_ filter: KeyFilter, after cursor: String? = nil, limit: Int = 9) async throws -> [String] {
            try await tool.keys.list(filter, at: now, after: cursor, limit: limit).map(\.id)
        }
        #expect(try await ids(KeyFilter(org: "acme")) == ["k1", "k2", "k3", "k4"])
        #expect(try await ids(KeyFilter(org: "acme"), after: "k1", limit: 2) == ["k2", "k3"])
        #expect(try await ids(KeyFilter(org: "acme", project: "web", user: "ann")) == ["k1", "k4"])
        for (state, expected) in [
            (APIKey.State.active, ["k1", "k5"]), (.blocked, ["k2"]), (.expired, ["k3"]), (.revoked, ["k4"]),
        ] {
            #expect(try await ids(KeyFilter(state: state)) == expected)
            #expect(
                try await tool.keys.list(KeyFilter(state: state), at: now, after: nil, limit: 9).allSatisfy { $0.state(at: now) == state })
        }
        let third = try await tool.keys.find(id: "k3")
        #expect(third?.kind == .serviceAccount && third?.lastUsedAt == nil)
        try await server.keys.used([:])
        try await server.keys.used(["k1": now + Milliseconds(5), "k3": now])
        try await tool.keys.used(["k1": now, "k3": now + Milliseconds(9)])
        #expect(try await tool.keys.find(id: "k1")?.lastUsedAt == now + Milliseconds(5), "never an older time")
        #expect(try await server.keys.active(hash: "h-k3")?.lastUsedAt == now + Milliseconds(9))
    }

    func budgetPages() async throws {
        try await server.keys.create(try APIKey(id: "key_1", org: "acme", project: "web", createdAt: now), hash: "h1")
        try await server.keys.create(try APIKey(id: "key_2", org: "acme0", project: "web", createdAt: now), hash: "h2")
        let scopes = [
            "org:acme", "org:acme0", "project:acme/web", "project:acme-x/web", "user:acme/web/ann", "user:acm/e/x", "key:key_1",
            "key:key_2",
            "key:jwt:acme:ann", "key:jwt:acme0:ann",
        ]
        for text in scopes {
            try await server.budgets.set(Budget(scope: Scope(text), unit: .usd, period: .day, limit: 5))
        }
        try await server.budgets.set(Budget(scope: .org("acme"), model: "m", unit: .tokens, period: .month, limit: 7))
        try await server.budgets.set(Budget(scope: .org("acme"), unit: .usd, period: .month, limit: 7))
        func all(_ org: OrgID?) async throws -> [String] {
            var found: [Budget] = []
            while true {
                let page = try await tool.budgets.page(org: org, after: found.last.map(BudgetName.init), limit: 1)
                guard let budget = page.first else { return found.map { "\($0.scope.text) \($0.model ?? "") \($0.period)" } }
                found.append(budget)
            }
        }
        #expect(
            try await all("acme") == [
                "key:jwt:acme:ann  day", "key:key_1  day", "org:acme  day", "org:acme  month", "org:acme m month", "project:acme/web  day",
                "user:acme/web/ann  day",
            ])
        #expect(try await all(nil).count == scopes.count + 2)
        #expect(try await all("nobody").isEmpty)
        let set = try await server.budgets.list(scope: .org("acme"))
        let windows = try await tool.usage.windows(of: set.reversed(), now: now)
        #expect(windows.map(\.cap) == set.reversed().map(\.limit) && windows.map(\.key) == set.reversed().map { $0.window(at: now).key })
    }

    func spend() async throws {
        let hour: Int64 = 3_600_000
        let midnight = WindowSpan(.day, containing: now).start
        func row(
            _ id: String, _ path: TenancyPath, _ model: String, nano: Int64, hour at: Int64, kind: LedgerRow.Kind = .settle
        ) -> LedgerRow {
            LedgerRow(
                chargeID: id, kind: kind, lease: "l", attribution: Attribution(path: path, run: "r", model: model, priceVersion: "p"),
                nanoUSD: nano, usage: UsageClasses(inputFresh: 1, outputVisible: 2), requests: 1, calls: model.hasPrefix("tool:") ? 1 : 0,
                estimated: false, at: midnight + Milliseconds(at * hour + 7))
        }
        let ann = try TenancyPath(org: "acme", project: "web", user: "ann", key: "k1")
        let none = try TenancyPath(org: "acme", project: "lab")
        var rows = [
            row("a", ann, "m1", nano: 30, hour: 1), row("b", ann, "m2", nano: 5, hour: 2), row("c", none, "m1", nano: 10, hour: 2),
            row("d", ann, "tool:mail.send", nano: 4, hour: 25), row("e", ann, "m1", nano: 1_000, hour: 2, kind: .overrun),
            row("f", try TenancyPath(org: "beta", project: "web"), "m1", nano: 100, hour: 2),
        ]
        for index in 0..<150 { rows.append(row("n\(index)", none, "model-\(index)", nano: 1, hour: 60)) }
        _ = try await server.ledger.append(rows)
        func cells(
            _ scope: Scope?, _ by: SpendDimension, _ step: SpendQuery.Step = .day, from: Int64 = 0, to: Int64 = 48
        ) async throws -> [String] {
            let query = try #require(
                SpendQuery(
                    scope: scope, from: midnight + Milliseconds(from * hour), to: midnight + Milliseconds(to * hour), by: by, step: step))
            return try await tool.ledger.spend(query).map {
                "\($0.name ?? "rest") \(($0.at - midnight).rawValue / hour) \($0.sum.nanoUSD) \($0.sum.requests) \($0.sum.calls)"
            }.sorted()
        }
        let acme = Scope.org("acme")
        #expect(try await cells(acme, .org) == ["acme 0 45 3 0", "acme 24 4 1 1"])
        #expect(try await cells(nil, .org, to: 24) == ["acme 0 45 3 0", "beta 0 100 1 0"])
        #expect(try await cells(acme, .project, to: 24) == ["acme/lab 0 10 1 0", "acme/web 0 35 2 0"])
        #expect(try await cells(acme, .user, to: 24) == ["acme/lab/ 0 10 1 0", "acme/web/ann 0 35 2 0"])
        #expect(try await cells(acme, .key, to: 24) == [" 0 10 1 0", "k1 0 35 2 0"])
        #expect(
            try await cells(acme, .model, .hour) == ["m1 1 30 1 0", "m1 2 10 1 0", "m2 2 5 1 0"], "a note is no charge, a tool no model")
        #expect(try await cells(acme, .tool) == ["mail.send 24 4 1 1"])
        #expect(try await cells(.key("k1"), .model, .hour, from: 2) == ["m2 2 5 1 0"], "within the span")
        #expect(try await cells(.user(org: "acme", project: "web", user: "ann"), .project) == ["acme/web 0 35 2 0", "acme/web 24 4 1 1"])
        #expect(try await cells(.org("nobody"), .model).isEmpty)
        let many = try await cells(acme, .model, to: 72)
        #expect(many.count == 2 + StoreLimits.spendNames - 2 + 1 && many.contains("rest 48 52 52 0"), "2 and 98 by name, 52 in one")
        let both = try #require(SpendQuery(scope: acme, from: midnight, to: midnight + Milliseconds(48 * hour), by: .model, step: .hour))
        #expect(try await tool.ledger.spend(both).first?.sum.usage == UsageClasses(inputFresh: 1, outputVisible: 2))
        for (from, to, step) in [(0, 0, SpendQuery.Step.day), (0, 194, .hour), (5, 4, .hour)] {
            let (from, to) = (midnight + Milliseconds(Int64(from) * hour), midnight + Milliseconds(Int64(to) * hour))
            #expect(SpendQuery(scope: nil, from: from, to: to, by: .org, step: step) == nil)
        }
    }
}

extension TenantStore {
    fileprivate func create(key id: String, user: String?, at now: Milliseconds, in process: DurableStoreContract.Process) async throws {
        try await process.keys.create(try APIKey(id: id, org: "acme", project: "web", user: user, createdAt: now), hash: "h-\(id)")
    }
}
