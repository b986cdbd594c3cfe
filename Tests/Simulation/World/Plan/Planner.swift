import Accounting

/// Draws a plan from a seed.
struct Planner {
    private var random: SeededGenerator
    private let profile: Profile
    private let isBig: Bool

    /// 2026-11-23T12:00:00Z, a Monday.
    private static let monday: Int64 = 1_795_435_200_000

    init(seed: UInt64, profile: Profile) {
        random = SeededGenerator(seed: seed, stream: 1)
        self.profile = profile
        isBig = seed % 128 == 127
    }

    mutating func plan() -> Plan {
        let span = random.integer(8_000...25_000)
        let beforeRoll = profile.rolls ? random.integer(500...span) : random.integer(0...3_600_000)
        var plan = Plan(
            start: Self.monday - beforeRoll, ttl: random.pick([6_000, 12_000, 30_000]), seats: Int(random.integer(1...(isBig ? 4 : 3))),
            healsAt: span, callTimeout: random.integer(200...1_500))
        for _ in 0..<plan.seats {
            plan.offsets.append(random.integer(-3_000...3_000))
            plan.drifts.append(profile.clockJumps > 0 ? random.integer(-500...500) : 0)
        }
        plan.isRooted = profile.storeLosses > 0 || random.chance(permille: 150)
        if profile.isSplit {
            plan.isRooted = true
            plan.slots = Int(random.integer(2...4))
        }
        plan.reconnect = 0...random.pick([5, 100, 1_000])
        plan.storeOffset = profile.storeClockJumps > 0 ? random.integer(-1_000...1_000) : 0
        let paths = makePaths()
        let count = isBig ? random.integer(30...60) : random.integer(2...9)
        for index in 0..<count { plan.runs.append(makeRun(Int(index), paths, plan)) }
        makeBudgets(&plan, paths)
        makeFaults(&plan, paths)
        return plan
    }

    private mutating func makePaths() -> [TenancyPath] {
        var paths: [TenancyPath] = []
        for _ in 0...random.integer(0...2) {
            let user = random.pick(["ann", "bob", nil])
            let isAcme = random.chance(permille: 850)
            // Names of this kind are always valid. A key belongs to one org.
            guard
                let path = try? TenancyPath(
                    org: isAcme ? "acme" : "omni", project: random.pick(["web", "app"]), user: user,
                    key: random.pick(isAcme ? ["k1", "k2", nil] : ["k3", nil]))
            else { continue }
            paths.append(path)
        }
        return paths
    }

    private mutating func makeRun(_ index: Int, _ paths: [TenancyPath], _ plan: Plan) -> Plan.Run {
        let length = random.integer(0...60)
        let isExact = random.chance(permille: 500)
        let wish = random.chance(permille: 100) ? random.integer(0...3) : random.integer(20...500)
        let batch = random.integer(1...24)
        // A stream lasts 15 s at most: time is free, heartbeats are not.
        let gap = random.integer(1...min(random.pick([20, 100, 400]), max(1, 15_000 * max(1, batch / 3) / max(1, wish))))
        let interrupts = random.chance(permille: profile.interrupted)
        let lies = random.chance(permille: profile.liars)
        let amount = random.integer(1...300)
        return Plan.Run(
            name: "r\(index)", path: random.pick(paths), seat: random.index(plan.seats), model: random.index(2),
            start: random.integer(0...plan.healsAt * 2 / 3), prompt: isExact ? .exact(length) : .atMost(length + random.integer(0...40)),
            promptTokens: length, maxOutput: random.chance(permille: 300) ? random.integer(1...600) : nil,
            isReserved: random.chance(permille: 150), wish: wish, batch: max(1, batch / 3)...batch, gap: gap / 2...gap,
            wait: random.chance(permille: 120) ? (random.integer(0...wish), random.integer(100...2 * plan.ttl)) : nil,
            usage: lies
                ? random.pick([.silent, .more(amount), .less(amount)]) : random.chance(permille: 150) ? .silent : .exact,
            interruption: interrupts ? (random.pick([.disconnect, .cancel, .settle, .kill]), random.integer(0...plan.healsAt)) : nil)
    }

    // MARK: Budgets

    private mutating func makeBudgets(_ plan: inout Plan, _ paths: [TenancyPath]) {
        for _ in 0..<random.integer(0...4) {
            guard let budget = makeBudget(plan.runs, paths, version: 1) else { continue }
            let isKnown = plan.budgets.contains { $0.scope == budget.scope && $0.unit == budget.unit && $0.period == budget.period }
            if !isKnown { plan.budgets.append(budget) }
        }
    }

    /// Between a twentieth and one and a half of what its scope wants.
    private mutating func makeBudget(_ runs: [Plan.Run], _ paths: [TenancyPath], version: Int64) -> Budget? {
        let scope = random.pick(random.pick(paths).scopes)
        let unit = random.pick([MeterUnit.tokens, .tokens, .usd, .requests])
        let period = profile.rolls ? random.pick([Period.minute, .minute, .hour, .total]) : random.pick([.day, .total, .month])
        var demand: Int64 = 0
        for run in runs where run.path.scopes.contains(scope) {
            switch unit {
            case .requests: demand += 1
            case .tokens: demand += run.wish + run.promptTokens
            case .inputTokens: demand += run.promptTokens
            case .outputTokens: demand += run.wish
            case .runs, .calls: demand += 1
            case .usd:
                let model = Plan.models[run.model]
                demand += (run.wish * model.output + run.promptTokens * model.input) / 1_000 + 1
            }
        }
        let limit = demand * random.integer(50...1_500) / 1_000 + random.integer(0...3)
        return try? Budget(scope: scope, unit: unit, period: period, limit: limit, version: version, generation: version)
    }

    // MARK: Faults

    private mutating func makeFaults(_ plan: inout Plan, _ paths: [TenancyPath]) {
        let seats = plan.seats
        let ttl = plan.ttl
        func seat(_ random: inout SeededGenerator) -> Int { random.index(seats) }
        some(profile.crashes, &plan) {
            .crash(seat: seat(&$0), back: $0.integer(10...10_000), keepsBoard: $0.chance(permille: 650))
        }
        some(profile.pauses, &plan) {
            .pause(seat: seat(&$0), for: $0.chance(permille: 500) ? $0.integer(10...2_000) : ttl + $0.integer(0...8_000))
        }
        some(profile.clockJumps, &plan) { .clockJump(seat: seat(&$0), by: $0.integer(-90_000...90_000)) }
        some(profile.storeClockJumps, &plan) {
            .storeClockJump(by: $0.chance(permille: 700) ? $0.integer(-2_000...2_000) : $0.integer(0...70_000))
        }
        some(profile.storeOutages, &plan) { .storeOutage(for: $0.integer(10...8_000)) }
        some(profile.ledgerOutages, &plan) { .ledgerOutage(for: $0.integer(10...8_000)) }
        some(profile.directoryOutages, &plan) { .directoryOutage(seat: seat(&$0), for: $0.integer(10...8_000)) }
        some(profile.storeLosses, &plan) {
            .storeLoss(back: $0.chance(permille: 350) ? nil : $0.integer(0...$0.pick([4, 60])))
        }
        some(profile.rebuilds, &plan) { _ in .rebuild }
        let known = plan.budgets.count
        if known > 0 {
            some(profile.capChanges, &plan) { .cap(index: $0.index(known), permille: $0.integer(0...3_000)) }
        }
        for _ in 0..<random.integer(0...profile.budgetChanges) {
            let at = random.integer(0...plan.healsAt)
            if known > 0, random.chance(permille: 500) {
                let back = random.chance(permille: 500) ? random.integer(10...5_000) : nil
                plan.faults.append((at, .remove(index: random.index(known), back: back)))
            } else if let budget = makeBudget(plan.runs, paths, version: 1) {
                plan.faults.append((at, .add(budget)))
            }
        }
        if profile.capChanges + profile.budgetChanges > 0, random.chance(permille: 300) {
            plan.directoryLag = 0...random.integer(1...3_000)
        }
    }

    private mutating func some(_ most: Int64, _ plan: inout Plan, _ make: (inout SeededGenerator) -> Plan.Fault) {
        guard most > 0 else { return }
        for _ in 0..<random.integer(0...most) { plan.faults.append((random.integer(0...plan.healsAt), make(&random))) }
    }
}
