import Accounting
import Testing

@testable import AccountingRedis
@testable import RedisClient

/// Needs: redis-server. The same random commands against ``CounterMachine`` and the Lua functions, at Redis' time: replies, windows
/// and ledger rows must be the same after every command.
@Suite("The Lua functions decide as CounterMachine does")
struct RedisDifferentialTests {
    @Test("Random commands give the same replies, windows and rows")
    func same() async throws {
        let server = try await RedisServer()
        var seen: Set<String> = []
        for seed in UInt64(1)...12 {
            // Every other org is split: this is one of its slots.
            let org = try CounterSlot(seed % 2 == 0 ? "org\(seed)/2" : "org\(seed)")
            let node = try await RedisNode(server, ledger: FaultyLedger(), orgs: [org], begins: false)
            var run = try DifferentialRun(seed: seed, org: org, node: node)
            try await run.go(commands: 400)
            seen.formUnion(run.seen.keys)
            await node.connection.close()
        }
        // A test that never grants, denies or refuses would prove nothing.
        for word in [
            "granted", "denied", "committed", "settled", "missing", "wrongSpan", "staleSequence", "suspended", "lost", "announced",
        ] {
            #expect(seen.contains(word), "\(word) never happened")
        }
    }
}

/// One seed's worth of commands.
private struct DifferentialRun {
    let seed: UInt64
    let org: CounterSlot
    let node: RedisNode
    var random: SplitMix
    var model = CounterMachine()
    var rows: [LedgerRow] = []
    /// Windows that may be asked for; two of them end while the run goes on.
    var pool: [WindowRef] = []
    /// Read them all; made once, because they are sent after every command.
    var reads: [RedisCommand] = []
    var ids = 0
    var epoch: Int64 = 1
    /// The last announcement, and its mark.
    var announced: (WindowRef, Int64)?
    var seen: [String: Int] = [:]

    init(seed: UInt64, org: CounterSlot, node: RedisNode) throws {
        self.seed = seed
        self.org = org
        self.node = node
        self.random = SplitMix(seed: seed)
    }

    private var tenant: OrgID { org.org }

    mutating func go(commands: Int) async throws {
        try await compare(.read(org: org, windows: []))
        try await compare(.clear(org: org, epoch: epoch))
        try await compare(.begin(org: org, Epoch(number: epoch, incarnation: node.store.incarnation(org: org))))
        let (_, now) = try await node.store.decide(.read(org: org, windows: []))
        try makePool(now)
        for ref in pool {
            try await compare(.load(org: org, window: ref, used: Int64.random(in: 0...50, using: &random), released: released()))
        }
        for index in 0..<commands {
            let command = try next()
            try await compare(command, index)
        }
        try await compareRows()
    }

    private mutating func makePool(_ now: Milliseconds) throws {
        let scopes: [Scope] = [
            .org(tenant), .project(org: tenant, project: "web"), .user(org: tenant, project: "web", user: "a:b"), .key("k1"),
        ]
        for scope in scopes {
            for unit in MeterUnit.allCases {
                let period = [Period.total, .day, .month].randomElement(using: &random) ?? .day
                let zone = scope.kind == .user ? try? CalendarZone.named("America/Port-au-Prince") : nil
                let span = WindowSpan(period, containing: now, in: zone)
                let cap: Int64 = seed % 6 == 0 ? AccountingLimits.amountMax : Int64.random(in: 0...3_000, using: &random)
                pool.append(
                    WindowRef(
                        key: WindowKey(scope: scope, model: chance(3) ? subject() : nil, unit: unit, period: period, window: span.id),
                        cap: cap, version: 1, generation: 1,
                        start: span.start, end: span.end))
            }
        }
        for life in [Int64(20), 60] {
            pool.append(
                WindowRef(
                    key: WindowKey(scope: .org(tenant), unit: .tokens, period: .minute, window: "short\(life)"), cap: 5_000, version: 1,
                    generation: 1, start: Milliseconds(0), end: now + Milliseconds(life)))
        }
        let keys = RedisKeys(org: org)
        reads = try pool.map { ref in
            let fields = ["cap", "ver", "gen", "used", "held", "susp", "live", "rel", "turn", "lost", "ep"]
            var command = RedisCommand("HMGET", try keys.window(ref.key))
            for field in fields { command.append(field) }
            return command
        }
    }

    // MARK: Comparing

    private mutating func compare(_ command: CounterCommand, _ index: Int = -1) async throws {
        let (reply, now) = try await node.store.decide(command)
        let expected = model.apply(command, incarnation: node.store.incarnation(org: org), now: now)
        // Described only when something is wrong: it takes longer than to compare.
        func place() -> Comment { "seed \(seed), command \(index): \(String(describing: command))" }
        #expect(reply == expected, place())
        if case .announce(_, let window) = command, case .announced(let mark, _) = reply { announced = (window, mark) }
        seen[Mirror(reflecting: expected).children.first?.label ?? "\(expected)", default: 0] += 1
        let changes = model.drainChanges()
        rows += changes.rows
        let found = try await stored()
        let wanted = pool.map { ref in
            model.windows[ref.key].map {
                [$0.cap, $0.version, $0.generation, $0.used, $0.held, $0.suspense, $0.liveLeases, $0.released, $0.turn, $0.unaccounted]
            }
        }
        try #require(found == wanted, place())
        try model.checkInvariants()
    }

    /// The windows of the pool as Redis has them, read in one go.
    private func stored() async throws -> [[Int64]?] {
        let state = model.epochs[org]
        return try await node.connection.callAll(reads).map { value in
            var numbers = value.elements?.compactMap(\.number) ?? []
            guard let epoch = numbers.popLast(), epoch == state?.epoch.number else { return nil }
            if state?.isCleared == true { numbers[numbers.count - 1] = 0 }
            return numbers
        }
    }

    private func compareRows() async throws {
        let stream = try await node.connection.call(RedisCommand("XRANGE", "{\(org)}:ledger", "-", "+"))
        let found = (stream.elements ?? []).compactMap { LedgerEntry($0, org: org)?.row }
        #expect(found.count == rows.count, "seed \(seed)")
        // A reap suspends lease by lease, each at its own time and in the order of expiry: the rows are compared without the time.
        let notes = { (rows: [LedgerRow]) in Set(rows.filter { $0.kind == .suspense }.map { "\($0.chargeID) \($0.amounts) \($0.usage)" }) }
        #expect(notes(found) == notes(rows), "seed \(seed)")
        #expect(found.filter { $0.kind != .suspense } == rows.filter { $0.kind != .suspense }, "seed \(seed)")
    }

    // MARK: Making commands

    private mutating func next() throws -> CounterCommand {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: return .open(try open())
        case 25..<65: return .step(step())
        case 65..<80: return .settle(settle())
        case 80..<86: return .reap(org: org, grace: Milliseconds(Int64.random(in: -1...4, using: &random)))
        case 86: return .announce(org: org, window: reloaded())
        case 87 where announced != nil:
            guard let (window, mark) = announced else { break }
            return .load(
                org: org, window: window, used: Int64.random(in: 0...100, using: &random), released: released(), turn: turn(),
                mark: chance(6) ? mark - 1 : mark)
        case 87:
            return .load(org: org, window: reloaded(), used: Int64.random(in: 0...100, using: &random), released: released(), turn: turn())
        case 88: return chance(3) ? newLife() : .recall(org: org, window: anyRef().key, turn: turn(), least: amount(upTo: 200))
        case 94 where chance(2):
            let span = Milliseconds(Int64.random(in: -1...6, using: &random))
            return chance(2)
                ? .ask(org: org, window: anyRef().key, for: span)
                : .asked(
                    org: org, window: anyRef().key, dryFor: chance(2) ? nil : span, shutFor: chance(2) ? nil : span)
        case 89: return .release(org: org, window: anyRef().key, released: released(), turn: turn())
        case 90..<94:
            let version = Int64.random(in: 0...5, using: &random)
            return .setCap(org: org, window: anyRef().key, cap: amount(upTo: 4_000), version: version)
        case 94: return .read(org: org, windows: path().map(\.key))
        case 95..<98: return try claim()
        default: break
        }
        return .resolve(anyLease(), evidence: spent(above: .zero))
    }

    private mutating func released() -> Int64 { chance(3) ? AccountingLimits.amountMax : amount(upTo: 4_000) }

    private mutating func turn() -> Int64 { Int64.random(in: 0...12, using: &random) }

    /// Another life, the same again, an earlier one, or the end of a rebuild.
    private mutating func newLife() -> CounterCommand {
        if chance(2) { return .clear(org: org, epoch: epoch - (chance(4) ? 1 : 0)) }
        if chance(2) { epoch += 1 }
        let number = chance(5) ? epoch - 1 : epoch
        return .begin(org: org, Epoch(number: number, incarnation: chance(5) ? "another" : node.store.incarnation(org: org)))
    }

    private mutating func claim() throws -> CounterCommand {
        ids += 1
        let known = chance(4) ? anyLease() : nil
        return .assert(
            AssertLease(
                lease: known ?? LeaseKey(org: org, id: "a\(ids)"), holder: holder(),
                attribution: Attribution(
                    path: try TenancyPath(org: tenant, project: "web", user: nil, key: nil), run: "run \(ids)", model: subject(),
                    priceVersion: "v1"),
                path: path(),
                held: Amounts(
                    nanoUSD: amount(upTo: 60), tokens: amount(upTo: 60), requests: 1, inputTokens: amount(upTo: 60), runs: 1,
                    calls: amount(upTo: 2)),
                spent: spent(above: .zero), sequence: Int64.random(in: 0...3, using: &random), ttl: ttl()))
    }

    private mutating func anyRef() -> WindowRef { pool[Int.random(in: 0..<pool.count, using: &random)] }

    /// Sometimes a window that is not loaded, or a newer generation of one that is.
    private mutating func reloaded() -> WindowRef {
        let ref = anyRef()
        let generation = ref.generation + Int64.random(in: 0...2, using: &random)
        return WindowRef(
            key: ref.key, cap: amount(upTo: 4_000), version: Int64.random(in: 0...4, using: &random), generation: generation,
            start: ref.start, end: ref.end)
    }

    private mutating func path() -> [WindowRef] {
        var path = pool.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
        if chance(30) { path.append(reloaded()) }
        if chance(30), let first = path.first { path.append(first) }
        if chance(40) {
            path.append(
                WindowRef(
                    key: WindowKey(scope: .key("other"), unit: .usd, period: .total, window: "all"), cap: 5, version: 1, generation: 1,
                    start: Milliseconds(0), end: WindowSpan.never))
        }
        var unique = Set<WindowKey>()
        return chance(50) ? path : path.filter { unique.insert($0.key).inserted }
    }

    private mutating func open() throws -> OpenLease {
        ids += 1
        let old = chance(6) ? model.leases.values.sorted { $0.key.id < $1.key.id }.randomElement(using: &random) : nil
        return OpenLease(
            lease: old?.key ?? LeaseKey(org: org, id: "l\(ids)"), holder: holder(),
            attribution: Attribution(
                path: try TenancyPath(org: tenant, project: "web", user: chance(2) ? "a:b" : nil, key: chance(2) ? "k1" : nil),
                run: "run \(ids) {\"x\"}\r\n", model: subject(), priceVersion: chance(2) ? "" : "v1"),
            path: path(),
            fixed: Amounts(
                nanoUSD: amount(upTo: 60), tokens: amount(upTo: 60), requests: Int64.random(in: 0...1, using: &random),
                inputTokens: amount(upTo: 60), runs: Int64.random(in: 0...1, using: &random),
                calls: Int64.random(in: 0...1, using: &random)),
            offers: offers(atLeast: chance(40) ? 0 : 1), shareFloor: Int64.random(in: 0...64, using: &random), continues: chance(4),
            ttl: ttl())
    }

    private mutating func step() -> StepLease {
        let key = anyLease()
        let lease = model.leases[key]
        return StepLease(
            lease: key, holder: holder(of: lease), sequence: sequence(after: lease), spent: spent(above: lease?.spent ?? .zero),
            offers: offers(atLeast: 0), shareFloor: Int64.random(in: 0...64, using: &random), ttl: ttl())
    }

    private mutating func settle() -> SettleLease {
        let key = anyLease()
        let lease = model.leases[key]
        return SettleLease(
            lease: key, holder: holder(of: lease), sequence: sequence(after: lease),
            spent: spent(above: chance(3) ? .zero : lease?.spent ?? .zero))
    }

    private mutating func anyLease() -> LeaseKey {
        // Mostly one that still moves; sorted, so that a seed means the same commands each time.
        let all = model.leases.values.sorted { $0.key.id < $1.key.id }
        let moving = all.filter { $0.phase != .settled }
        let found = (chance(8) ? all : moving).randomElement(using: &random)
        return chance(40) ? LeaseKey(org: org, id: "nobody") : found?.key ?? LeaseKey(org: org, id: "l1")
    }

    private mutating func holder(of lease: LeaseState? = nil) -> LeaseHolder {
        guard let lease, !chance(20) else { return LeaseHolder(node: chance(15) ? "b" : "a", fence: chance(15) ? 8 : 7) }
        return lease.holder
    }

    private mutating func sequence(after lease: LeaseState?) -> Int64 {
        (lease?.sequence ?? 0) + (chance(6) ? Int64.random(in: -1...0, using: &random) : Int64.random(in: 1...2, using: &random))
    }

    private mutating func spent(above base: Spent) -> Spent {
        var spent = base
        spent.nanoUSD += amount(upTo: 40)
        spent.usage.inputFresh += Int64.random(in: 0...5, using: &random)
        spent.usage.inputCacheRead += Int64.random(in: 0...2, using: &random)
        spent.usage.inputCacheWrite += Int64.random(in: 0...2, using: &random)
        spent.usage.outputVisible += amount(upTo: 40)
        spent.usage.outputReasoning += Int64.random(in: 0...2, using: &random)
        spent.requests += Int64.random(in: 0...1, using: &random)
        spent.calls += Int64.random(in: 0...1, using: &random)
        spent.estimated = chance(4)
        if chance(30) { spent.nanoUSD -= 5 }
        return chance(8) ? base : spent
    }

    private mutating func offers(atLeast least: Int) -> [Offer] {
        var tokens = Int64.random(in: 1...300, using: &random)
        var offers: [Offer] = []
        for _ in 0..<Int.random(in: least...max(least, chance(30) ? 17 : 5), using: &random) {
            offers.append(
                Offer(
                    tokens: tokens,
                    amounts: Amounts(nanoUSD: chance(5) ? 0 : tokens * 2, tokens: tokens, outputTokens: chance(5) ? 0 : tokens)))
            tokens = chance(30) ? tokens : tokens / 2
            if tokens == 0, !chance(30) { break }
        }
        return offers
    }

    private mutating func subject() -> String {
        let names: [String] = ["demo", "lab/gpt:4o", "tool:pay.v2"]
        return names[Int.random(in: 0..<3, using: &random)]
    }

    private mutating func ttl() -> Milliseconds {
        chance(30) ? Milliseconds(0) : Milliseconds(chance(3) ? Int64.random(in: 1...4, using: &random) : 30_000)
    }

    private mutating func amount(upTo most: Int64) -> Int64 {
        switch Int.random(in: 0..<120, using: &random) {
        case 0: AccountingLimits.amountMax
        case 1: AccountingLimits.amountMax + 1
        case 2: -1
        default: Int64.random(in: 0...most, using: &random)
        }
    }

    private mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }
}
