import Accounting
import Testing

/// What every durable store has to do, whatever it is made of: ledger, budgets, keys, conversations, usage. Each function is one
/// item; the caller gives an empty store, twice: as one process and as another process see it.
struct DurableStoreContract {
    /// What one process has.
    struct Process: Sendable {
        let ledger: any LedgerSums
        let budgets: any BudgetStore
        let keys: any KeyStore
        let tenants: any TenantStore
        let usage: any UsageStore
        let runEnds: any RunEndStore
        let revocations: any RevocationStore
        let conversations: @Sendable (ConversationOwner) -> any ConversationArchive
        let root: any CounterRoot
    }

    let server: Process
    let tool: Process
    let now = ManualClock.monday

    /// All items, by name.
    static let items: [(name: String, run: @Sendable (DurableStoreContract) async throws -> Void)] = [
        ("a charge is written once, however often it comes; notes are not summed", { try await $0.appends() }),
        ("the same rows from two processes at once are written once, and every sum agrees", { try await $0.races() }),
        ("the sum over any span is that of the rows in it, to the millisecond", { try await $0.sums() }),
        ("a row comes back as it was written", { try await $0.wholeRows() }),
        ("pages go from the newest to the oldest without a gap", { try await $0.pages() }),
        ("rows are found by scope, run and time, oldest first, page by page", { try await $0.queries() }),
        ("charges are added up by run, newest first, and by day, key, user and model", { try await $0.chargesOfRuns() }),
        ("why a run ended is kept once, until it is too old", { try await $0.runEnds() }),
        ("orders to cut are read in the order of their ids by every process, and a revoked key is one", { try await $0.revocations() }),
        ("calls of tools are summed by scope, tool and slot, and their budgets come back", { try await $0.callsOfTools() }),
        ("orgs, projects and users are made once, named, counted and listed page by page", { try await $0.tenants() }),
        ("keys are listed by place and state, and remember when they were used", { try await $0.keyLists() }),
        ("the budgets of an org are those of its projects, users and keys, page by page", { try await $0.budgetPages() }),
        ("spend is added up by any dimension and step, the dearest by name and the rest in one", { try await $0.spend() }),
        ("a key's settings come back as they were, and change", { try await $0.keySettings() }),
        ("another process reads and writes budgets while the server runs; versions never fall", { try await $0.budgetChanges() }),
        ("a reading of budgets is repeated only when some budget has changed", { try await $0.budgetEditions() }),
        ("budgets set at the same time by many get versions of their own", { try await $0.budgetRaces() }),
        ("what the operator has set its organisation neither changes nor removes", { try await $0.budgetOwners() }),
        ("a budget's zone comes back as it was set, and another begins a generation", { try await $0.zones() }),
        ("the days, weeks and months of a zone are summed to the millisecond", { try await $0.zonedSums() }),
        ("usage without counters is what the ledger holds", { try await $0.usageOfLedger() }),
        ("a key is found by its hash until it is revoked, and brings org, project and user about", { try await $0.apiKeys() }),
        ("a conversation belongs to one owner; another's of the same id is another", { try await $0.conversations() }),
        ("the oldest turns of a long conversation go", { try await $0.longConversation() }),
        ("a life of counters ends once, and its late rows are refused", { try await $0.lives() }),
        ("a life is cleared when every process that lives has answered for it", { try await $0.clearances() }),
        ("what was released of a cap is remembered, and given to the present life only", { try await $0.releases() }),
        ("the charges of one lease are those of its rows", { try await $0.leaseCharges() }),
        ("the slots of an org share a cap, and in sum get no more than it", { try await $0.sharedCap() }),
        ("what the slots used before the first release is theirs first", { try await $0.firstShares() }),
        ("what a slot gives back in its turn is given to another", { try await $0.recalls() }),
        ("releases and recalls of many slots at once never exceed the cap", { try await $0.releaseRaces() }),
        ("each slot's counters have lives of their own", { try await $0.livesOfSlots() }),
        ("sums by slot add up to the sum", { try await $0.sumsOfSlots() }),
        ("texts come back as they were, and too long ones are refused", { try await $0.texts() }),
    ]

    func rows(_ count: Int, org: OrgID = "acme") throws -> [LedgerRow] {
        try (0..<count).map { index in
            LedgerRow(
                chargeID: "\(org)-\(index)", kind: index == 3 ? .overrun : .commit, lease: "l", attribution: try Make.attribution(org: org),
                nanoUSD: 7, usage: UsageClasses(inputFresh: 1, outputVisible: 2), requests: 1, estimated: false,
                at: now + Milliseconds(Int64(index)))
        }
    }

    // MARK: Ledger

    func appends() async throws {
        let ledger = server.ledger
        #expect(try await ledger.append([]) == 0)
        #expect(try await ledger.append(try rows(10)) == 10)
        #expect(try await tool.ledger.append(try rows(12)) == 2)
        _ = try await ledger.append(try rows(5, org: "beta"))
        #expect(
            try await ledger.total(.org("acme"))
                == LedgerSum(nanoUSD: 77, usage: UsageClasses(inputFresh: 11, outputVisible: 22), requests: 11))
        for scope in try Make.path().scopes.dropLast() { #expect(try await ledger.total(scope).requests == 11, "\(scope.text)") }
        #expect(try await ledger.total(.key("k1")).requests == 15, "a key id is unique over all orgs")
        #expect(try await ledger.total(.org("nobody")) == LedgerSum())
        #expect(try await ledger.sum(.org("acme"), from: now, to: now + Milliseconds(3)).requests == 3)
        let twice = try rows(13).suffix(1) + rows(13).suffix(1)
        #expect(try await ledger.append(Array(twice)) == 1, "also within one batch")
    }

    func races() async throws {
        let rows = try (0..<400).map { try charge("\($0)", slot: $0 % 4, at: now + Milliseconds(Int64($0) * 400)) }
        let processes = [server, tool, server, tool]
        let added = try await withThrowingTaskGroup(of: Int.self) { group in
            for (index, process) in processes.enumerated() {
                group.addTask {
                    var added = 0
                    // Overlapping batches, in opposite orders.
                    for start in stride(from: 0, to: 400, by: 40) {
                        let from = index.isMultiple(of: 2) ? start : 360 - start
                        added += try await process.ledger.append(Array(rows[from..<min(from + 80, 400)]))
                    }
                    return added
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(added == 400)
        for scope in try Make.path().scopes {
            #expect(try await server.ledger.total(scope).requests == 400, "\(scope.text)")
            let slots = try await tool.ledger.sums(scope, model: nil, from: Milliseconds(.min), to: Milliseconds(.max))
            #expect(slots.mapValues(\.requests) == [0: 100, 1: 100, 2: 100, 3: 100], "\(scope.text)")
        }
    }

    func sums() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(seed: seed)
        let day: Int64 = 86_400_000
        let edges: [Int64] = [0, 1, 59_999, 60_000, 60_001, day - 1, day, day + 1, day + 60_000, 2 * day, 3 * day - 60_000]
        let origin = now.rawValue - 43_200_000
        func instant() -> Milliseconds {
            let offset =
                Bool.random(using: &random) ? edges.randomElement(using: &random) ?? 0 : Int64.random(in: 0...(3 * day), using: &random)
            return Milliseconds(origin + offset)
        }
        var written: [LedgerRow] = []
        for index in 0..<120 {
            let attribution = try Make.attribution(org: Bool.random(using: &random) ? "acme" : "beta")
            written.append(
                LedgerRow(
                    chargeID: "c\(index)", kind: index % 7 == 0 ? .suspense : .settle, lease: "l", attribution: attribution,
                    nanoUSD: Int64.random(in: -50...1_000, using: &random), usage: UsageClasses(outputReasoning: Int64(index)), requests: 1,
                    estimated: false, at: instant()))
        }
        for start in stride(from: 0, to: 120, by: 17) { _ = try await server.ledger.append(Array(written[start..<min(start + 17, 120)])) }
        let scopes: [Scope] = [.org("acme"), .user(org: "beta", project: "web", user: "ann"), .key("k1")]
        for _ in 0..<60 {
            let (from, to) = (instant(), instant())
            for scope in scopes {
                var expected = LedgerSum()
                for row in written
                where row.kind.isCharge && row.attribution.path.scopes.contains(scope) && from <= row.at && row.at < to {
                    expected.nanoUSD += row.nanoUSD
                    expected.usage = expected.usage + row.usage
                    expected.requests += row.requests
                }
                let found = try await tool.ledger.sum(scope, from: from, to: to)
                #expect(found == expected, "seed \(seed): \(scope.text) from \(from.rawValue) to \(to.rawValue)")
            }
        }
    }

    func wholeRows() async throws {
        let path = try TenancyPath(org: "größe", project: "p\"'\\,", user: nil, key: nil)
        let row = LedgerRow(
            chargeID: "l.ä:9:settle", kind: .settle, lease: "l.ä",
            attribution: Attribution(path: path, run: "", model: "m/1", priceVersion: ""),
            nanoUSD: -AccountingLimits.amountMax,
            usage: UsageClasses(inputFresh: 1, inputCacheRead: 2, inputCacheWrite: 3, outputVisible: 4, outputReasoning: 5), requests: 0,
            estimated: true, at: now, slot: 1_024)
        _ = try await server.ledger.append([row])
        #expect(try await tool.ledger.page(nil, before: nil, limit: 10).rows == [row])
        #expect(try await tool.ledger.page(.project(org: "größe", project: path.project), before: nil, limit: 10).rows == [row])
        #expect(try await tool.ledger.page(.key("k1"), before: nil, limit: 10).rows.isEmpty)
    }

    func pages() async throws {
        let ledger = server.ledger
        _ = try await ledger.append(try rows(7))
        _ = try await ledger.append(try rows(3, org: "beta"))
        _ = try await ledger.append(try rows(12))
        let page = try await ledger.page(.org("acme"), before: nil, limit: 5)
        #expect(page.rows.map(\.chargeID) == ["acme-11", "acme-10", "acme-9", "acme-8", "acme-7"])
        let rest = try await ledger.page(.org("acme"), before: page.next, limit: 100)
        #expect(rest.rows == Array(try rows(7).reversed()))
        #expect(rest.next == nil)
        #expect(try await ledger.page(nil, before: nil, limit: 100).rows.count == 15)
    }

    // MARK: Budgets

    func budgetChanges() async throws {
        let (server, tool) = (server.budgets, tool.budgets)
        let first = try await tool.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "5.00"))
        _ = try await tool.set(try Budget(scope: "key:k1", unit: "tokens", period: "total", limit: "100"))
        _ = try await tool.set(try Budget(scope: "org:other", unit: "usd", period: "day", limit: "1"))
        #expect(try await server.budgets(for: try Make.path()).budgets.map(\.limit) == [5_000_000_000, 100])
        let same = try await server.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "5"))
        #expect(same == first)
        let raised = try await server.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "6"))
        #expect(raised.version > first.version && raised.generation == first.generation)
        #expect(try await tool.remove(scope: .org("acme"), unit: .usd, period: .day))
        #expect(try await !tool.remove(scope: .org("acme"), unit: .usd, period: .day))
        let anew = try await tool.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "6"))
        #expect(anew.generation > raised.version)
        #expect(try await server.list(scope: nil).count == 3)
        let one = try await tool.set(try Budget(scope: "key:k1", model: "lab/gpt:4o", unit: "tokens", period: "total", limit: "7"))
        #expect(try await server.list(scope: .key("k1")).map(\.limit) == [100, 7])
        #expect(try await server.budgets(for: try Make.path()).limiting("demo").budgets.map(\.limit) == [6_000_000_000, 100])
        #expect(try await server.budgets(for: try Make.path()).limiting("lab/gpt:4o").budgets.last == one)
        #expect(try await tool.remove(scope: .key("k1"), model: "lab/gpt:4o", unit: .tokens, period: .total))
        #expect(try await !tool.remove(scope: .key("k1"), model: "lab/gpt:4o", unit: .tokens, period: .total))
        #expect(try await server.list(scope: .key("k1")).map(\.limit) == [100])
    }

    func budgetEditions() async throws {
        let path = try Make.path()
        let empty = try await server.budgets.budgets(for: path)
        #expect(empty.budgets.isEmpty)
        #expect(try await server.budgets.budgets(for: path, changedSince: empty.edition) == nil)
        _ = try await tool.budgets.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "5"))
        let one = try #require(try await server.budgets.budgets(for: path, changedSince: empty.edition))
        #expect(one.budgets.map(\.limit) == [5_000_000_000])
        #expect(try await server.budgets.budgets(for: path) == one)
        _ = try await tool.ledger.append(rows(3))
        _ = try await server.ledger.append(rows(5))
        _ = try await tool.budgets.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "5"))
        #expect(try await server.budgets.budgets(for: path, changedSince: one.edition) == nil, "charges and the same limit change nothing")
        _ = try await tool.budgets.remove(scope: .org("acme"), unit: .usd, period: .day)
        #expect(try await server.budgets.budgets(for: path, changedSince: one.edition)?.budgets.isEmpty == true)
    }

    func budgetRaces() async throws {
        let versions = try await withThrowingTaskGroup(of: Int64.self) { group in
            for index in 1...20 {
                let store = index.isMultiple(of: 2) ? server.budgets : tool.budgets
                group.addTask {
                    try await store.set(try Budget(scope: .org("acme"), unit: .usd, period: .day, limit: Int64(index))).version
                }
            }
            return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
        }
        #expect(versions.count == 20)
        let kept = try #require(try await server.budgets.list(scope: .org("acme")).first)
        #expect(kept.version == versions.max(), "the last one to get a version is the one that is kept")
    }

    func usageOfLedger() async throws {
        _ = try await server.ledger.append(try rows(10))
        _ = try await server.budgets.set(try Budget(scope: "org:acme", unit: "tokens", period: "hour", limit: "1000"))
        _ = try await server.budgets.set(try Budget(scope: "user:acme/web/ann", unit: "usd", period: "total", limit: "1"))
        let usage = try await tool.usage.usage(of: .org("acme"), now: now)
        #expect(usage.windows.map { [$0.cap, $0.used, $0.held] } == [[1_000, 27, 0]])
        #expect(usage.totals.requests == 9)
        let (day, end) = (now - Milliseconds(86_400_000), now + Milliseconds(86_400_000))
        #expect(try await tool.ledger.sum(.org("acme"), model: "demo", from: day, to: end) == usage.totals)
        #expect(try await tool.ledger.sum(.org("acme"), model: "other", from: day, to: end) == LedgerSum())
        let later = try await tool.usage.usage(of: .org("acme"), now: now + Milliseconds(3_600_000))
        #expect(later.windows.map(\.used) == [0], "the next hour starts at zero")
        #expect(try await tool.usage.scopes() == [.org("acme"), .user(org: "acme", project: "web", user: "ann")])
    }

    // MARK: Keys

    func apiKeys() async throws {
        let table = server.keys
        let key = try APIKey(
            id: "k1", org: "acme", project: "web", user: "ann", roles: ["admin", "dev"], onCut: .finish, createdAt: now,
            identity: "ann@acme.example")
        try await tool.keys.create(key, hash: "aa")
        try await tool.keys.create(try APIKey(id: "k2", org: "acme", project: "web", createdAt: now), hash: "bb")
        #expect(try await table.find(id: "k2")?.identity == nil)
        #expect(try await table.list(org: nil, after: nil, limit: 1) == [key])
        for identity in ["", "a b", String(repeating: "a", count: 129)] {
            #expect(throws: (any Error).self) { try APIKey(id: "k4", org: "acme", project: "web", createdAt: now, identity: identity) }
        }
        await #expect(throws: (any Error).self) {
            try await table.create(try APIKey(id: "k3", org: "new", project: "web", createdAt: now), hash: "aa")
        }
        #expect(try await table.active(hash: "aa") == key)
        #expect(try await table.active(hash: "AA") == nil)
        #expect(try await table.list(org: nil, after: nil, limit: 10).map(\.id) == ["k1", "k2"])
        #expect(try await table.list(org: "nobody", after: nil, limit: 10).isEmpty)
        #expect(try await table.list(org: "acme", after: "k1", limit: 10).map(\.id) == ["k2"])
        #expect(try await table.orgs() == ["acme"], "what failed left nothing behind")
        #expect(try await table.revoke(id: "k1", author: "t", at: now))
        #expect(try await !table.revoke(id: "k1", author: "t", at: now))
        #expect(try await tool.keys.active(hash: "aa") == nil)
        #expect(try await table.find(id: "k1")?.revokedAt == now)
        // A key that replaced another spends from its account.
        let next = try APIKey(id: "k9", org: "acme", project: "web", createdAt: now, account: "k2")
        try await tool.keys.create(next, hash: "cc")
        #expect(try await table.find(id: "k9") == next && next.account == "k2")
        #expect(try await table.find(id: "k2")?.account == "k2")
    }
}
