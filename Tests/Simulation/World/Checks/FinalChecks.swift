import Accounting

/// What must hold when all faults have healed and everything has come to rest. Confined to the loop's thread.
struct FinalChecks {
    private let world: World
    private var counters: DefectiveCounters { world.store.counters }

    init(_ world: World) { self.world = world }

    func check() {
        if let violation = checkCounts() { return world.fail(violation.rule, violation.detail) }
        checkRest()
        for index in world.plan.runs.indices where world.violation == nil { checkRun(index) }
        for (slot, window) in world.store.windows where world.violation == nil { checkWindow(window, slot: slot) }
        checkDelivered()
        guard world.violation == nil else { return }
        if world.plan.isRooted { checkUnaccounted() } else { resolveAll() }
    }

    private func checkRest() {
        guard world.store.outbox.isEmpty else { return world.fail("liveness", "\(world.store.outbox.count) rows are still in the outbox") }
        for lease in world.store.leases {
            switch lease.phase {
            case .settled: break
            case .live: return world.fail("liveness", "\(lease.key.id) is still live")
            case .suspended:
                guard !world.isOfLivingProcess(lease) else {
                    return world.fail("suspense", "\(lease.key.id) is in suspense though its process lives: \(lease.held)")
                }
                guard !world.plan.isRooted || isBuried(lease.holder) else {
                    return world.fail("suspense", "\(lease.key.id) is in suspense though what it spent was noted: \(lease.held)")
                }
            }
        }
    }

    // MARK: Runs

    private func charges(of run: String) -> LedgerSum {
        var sum = LedgerSum()
        for row in world.ledger.rows where row.kind.isCharge && row.attribution.run == run {
            sum.nanoUSD += row.nanoUSD
            sum.usage = sum.usage + row.usage
            sum.requests += row.requests
        }
        return sum
    }

    private func checkRun(_ index: Int) {
        let run = world.witness.runs[index]
        let plan = world.plan.runs[index]
        let charged = charges(of: plan.name)
        if run.hasCrashed { return checkCrashed(index, charged) }
        switch run.ending {
        case nil: world.fail("one outcome", "\(plan.name) has none")
        case .refused, .notStarted:
            if case .refused(.unavailable) = run.ending, world.profile.isCalm {
                world.fail("liveness", "\(plan.name) was refused as unavailable")
            }
            if charged != LedgerSum() { world.fail("charged = delivered", "\(plan.name) was refused and charged \(charged)") }
        case .settled(let settlement, let cut):
            if charged.requests != 1 { world.fail("charged = delivered", "\(plan.name) was charged \(charged.requests) requests") }
            checkSettled(run, plan, charged, settlement)
            checkUncut(run, plan, cut)
        }
    }

    private func checkSettled(_ run: Witness.Run, _ plan: Plan.Run, _ charged: LedgerSum, _ settlement: Settlement) {
        let tokens = charged.usage.total
        let most = run.delivered + plan.prompt.bound
        if case .less(let less) = plan.usage, !run.isSettledEarly {
            // Earlier leases of the run were charged by what was counted.
            guard (most - plan.prompt.bound - less...most).contains(tokens) else {
                return world.fail("charged = delivered", "\(plan.name) was charged \(tokens) of \(most), reported \(less) less")
            }
            return
        }
        var expected = most
        if !run.isSettledEarly {
            switch plan.usage {
            case .exact: expected = run.delivered + plan.promptTokens
            case .more(let more): expected = run.delivered + plan.promptTokens + more
            case .silent, .less: break
            }
        }
        guard tokens == expected, settlement.usage.total == expected else {
            let text = "\(plan.name): charged \(tokens), settled \(settlement.usage.total), delivered with prompt \(expected)"
            return world.fail("charged = delivered", text)
        }
        let model = Plan.models[plan.model]
        let nano = (charged.usage.input * model.input + charged.usage.output * model.output + 999) / 1_000
        guard charged.nanoUSD == nano, settlement.cost.rawValue == nano else {
            let text = "\(plan.name): charged \(charged.nanoUSD) nano-USD, settled \(settlement.cost.rawValue), is worth \(nano)"
            return world.fail("charged = delivered", text)
        }
    }

    /// Without trouble a run gets all it wants, or a window says no.
    private func checkUncut(_ run: Witness.Run, _ plan: Plan.Run, _ cut: CutCause?) {
        guard world.profile.isCalm, plan.interruption == nil else { return }
        if let cut {
            if cut.window == nil { world.fail("liveness", "\(plan.name) was cut for \(cut.reason) and no window was full") }
        } else if !plan.isReserved, run.delivered != min(plan.wish, plan.maxOutput ?? .max) {
            world.fail("liveness", "\(plan.name) wanted \(plan.wish), got \(run.delivered) and was not cut")
        }
    }

    /// True when a process died with its machine and what it spent is not known yet.
    private func isBuried(_ holder: LeaseHolder) -> Bool {
        world.seats.contains { $0.buried.contains { $0.holder == holder } }
    }

    private func isBuried(_ index: Int) -> Bool { world.runs[index].map { isBuried($0.process.holder) } ?? false }

    /// The least that a run whose process died has to be charged.
    private func least(_ index: Int) -> Int64 {
        let (run, plan) = (world.witness.runs[index], world.plan.runs[index])
        let least = run.delivered + (run.isAdmitted ? plan.promptTokens : 0)
        if case .less(let less) = plan.usage, run.reported != nil { return max(0, least - less) }
        return least
    }

    /// What the present counters have in suspense of a run.
    private func suspense(_ run: String) -> Amounts {
        var held = Amounts.zero
        for key in world.store.leasesOfRun[run] ?? [] {
            if let lease = counters.lease(key), lease.phase == .suspended { held = held + lease.held }
        }
        return held
    }

    private func checkCrashed(_ index: Int, _ charged: LedgerSum) {
        let (run, plan) = (world.witness.runs[index], world.plan.runs[index])
        // What counters have forgotten of it is in no suspense: see `checkUnaccounted`.
        if world.profile.storeLosses > 0, isBuried(index) { return }
        let covered = charged.amounts + suspense(plan.name)
        guard least(index) <= covered.tokens else {
            let text = "\(plan.name) delivered \(least(index)), charged \(charged.usage.total), with suspense \(covered.tokens)"
            return world.fail("crash", text)
        }
        // Where all of it was reserved a successor charges all of it: deltas say nothing about what is billed.
        guard world.plan.isRooted, !isBuried(index), world.profile.liars == 0, !plan.isReserved else { return }
        // Its last token may have been paid for and not sent.
        let most = run.delivered + plan.prompt.bound + plan.batch.upperBound
        if charged.usage.total > most { world.fail("crash", "\(plan.name) delivered at most \(most), charged \(charged.usage.total)") }
    }

    /// What the dead have spent and nobody has charged is withheld from everybody.
    private func checkUnaccounted() {
        guard !world.profile.rolls, world.profile.liars == 0 else { return }
        for (slot, window) in world.store.windows where window.key.unit == .tokens && isSteady(window.key) {
            let key = window.key
            var missing: Int64 = 0
            for (index, plan) in world.plan.runs.enumerated()
            where world.witness.runs[index].hasCrashed && plan.path.scopes.contains(key.scope) && world.plan.slot(of: plan) == slot {
                missing += max(0, least(index) - charges(of: plan.name).usage.total - suspense(plan.name).tokens)
            }
            guard missing <= window.unaccounted else {
                return world.fail("unaccounted", "\(key.text) withholds \(window.unaccounted) and \(missing) are missing")
            }
        }
    }

    /// Everybody has answered for what it held.
    func checkEvidence(_ probes: Probes) {
        checkRest()
        for (index, plan) in world.plan.runs.enumerated() where world.witness.runs[index].hasCrashed && world.violation == nil {
            checkCrashed(index, charges(of: plan.name))
        }
        for (slot, window) in world.store.windows where world.violation == nil {
            checkWindow(window, slot: slot)
            guard window.unaccounted == 0, window.suspense == 0 else {
                let text = "\(window.key.text) has \(window.unaccounted) unaccounted and \(window.suspense) in suspense"
                return world.fail("liveness", text)
            }
        }
        for (path, outcome) in probes.outcomes where world.violation == nil {
            switch outcome {
            case .admitted: break
            case .refused:
                let full = Dictionary(grouping: world.store.windows.map(\.window), by: \.key).values.contains { parts in
                    path.scopes.contains(parts[0].key.scope)
                        && parts.reduce(1) { $0 + $1.used } > parts.lazy.map(\.cap).min() ?? 0
                }
                if !full { world.fail("liveness", "a run of \(path.scopes.map(\.text)) is refused and no window is full") }
            case .unavailable, .priceUnknown: world.fail("liveness", "a run of \(path.scopes.map(\.text)) is not admitted: \(outcome)")
            }
        }
    }

    // MARK: Windows

    private func isSteady(_ key: WindowKey) -> Bool {
        !world.budgets.unsteady.contains(BudgetTruth.name(key.scope, key.unit, key.period))
    }

    /// I2 and I3 in every slot.
    private func checkCounts() -> Violation? {
        (0...world.plan.slots).lazy.compactMap { CommandChecks(mayOverrun: true).checkAll(counters.machine(of: $0)) }.first
    }

    private func checkWindow(_ window: WindowState, slot: Int) {
        let key = window.key
        guard window.held == 0, window.liveLeases == 0 else { return world.fail("liveness", "\(key.text) still holds \(window.held)") }
        let sum = world.ledger.sums(key.scope, from: window.start, to: window.end)[slot]?.amounts[key.unit] ?? 0
        // A budget that is not there any more, or not the same, counts no longer what it has no part in.
        let isThere = world.budgets.generation(key) == window.generation
        if isThere ? window.used != sum : window.used > sum && !hasUnderstated {
            world.fail("ledger = used", "\(key.text): used \(window.used), the ledger says \(sum)")
        }
    }

    /// True when an upstream reports less than it sent: then more is delivered than is used.
    private var hasUnderstated: Bool {
        world.plan.runs.contains { run in
            if case .less = run.usage { true } else { false }
        }
    }

    /// What clients received is within every cap, whatever the counters say.
    private func checkDelivered() {
        guard world.violation == nil, !hasUnderstated else { return }
        let hasWildClock = world.profile.storeClockJumps > 0
        for budget in world.plan.budgets where !world.budgets.unsteady.contains(BudgetTruth.name(budget)) {
            guard let cap = world.budgets.highest[BudgetTruth.name(budget)] else { continue }
            if budget.period == .total {
                check(cap, of: budget, received: total(budget), in: "all time")
            } else if !hasWildClock, budget.unit == .tokens {
                var byWindow: [String: Int64] = [:]
                for delivery in world.witness.deliveries where world.plan.runs[delivery.run].path.scopes.contains(budget.scope) {
                    let held = delivery.heldIn.first {
                        $0.scope == budget.scope && $0.unit == budget.unit && $0.period == budget.period
                    }
                    let window = held?.window ?? budget.window(at: Milliseconds(delivery.at)).key.window
                    byWindow[window, default: 0] += delivery.tokens
                }
                for (id, tokens) in byWindow { check(cap, of: budget, received: tokens, in: id) }
            }
        }
    }

    private func check(_ cap: Int64, of budget: Budget, received: Int64, in window: String) {
        if received > cap { world.fail("delivered <= cap", "\(BudgetTruth.name(budget)) \(window): \(received) of \(cap)") }
    }

    private func total(_ budget: Budget) -> Int64 {
        var total: Int64 = 0
        for (index, plan) in world.plan.runs.enumerated() where plan.path.scopes.contains(budget.scope) {
            let run = world.witness.runs[index]
            guard run.isAdmitted else { continue }
            let model = Plan.models[plan.model]
            switch budget.unit {
            case .requests: total += 1
            case .tokens: total += run.delivered + plan.promptTokens
            case .inputTokens: total += plan.promptTokens
            case .outputTokens: total += run.delivered
            case .runs, .calls: break
            case .usd: total += (run.delivered * model.output + plan.promptTokens * model.input + 999) / 1_000
            }
        }
        return total
    }

    // MARK: Suspense

    /// The evidence is brought in, twice: then nothing is in suspense, and all that was delivered is charged.
    private func resolveAll() {
        for (index, plan) in world.plan.runs.enumerated() where world.witness.runs[index].hasCrashed {
            let suspended = (world.store.leasesOfRun[plan.name] ?? []).compactMap { counters.lease($0) }.filter { $0.phase == .suspended }
            guard let last = suspended.max(by: { ($0.held.tokens, $0.key.id) < ($1.held.tokens, $1.key.id) }) else { continue }
            let run = world.witness.runs[index]
            for lease in suspended where lease.key != last.key { resolve(lease.key, lease.spent) }
            let elsewhere = chargedTokens(plan.name) - last.spent.usage.total
            let due = run.delivered + (run.isAdmitted ? plan.promptTokens : 0) - elsewhere
            var evidence = last.spent
            evidence.usage = UsageClasses(outputVisible: max(0, due))
            evidence.requests += run.isAdmitted ? last.held.requests : 0
            resolve(last.key, evidence)
            resolve(last.key, evidence)
            if due >= 0, chargedTokens(plan.name) != elsewhere + due {
                world.fail("resolve", "\(plan.name) is charged \(chargedTokens(plan.name))")
            }
        }
        for lease in world.store.leases where lease.phase == .suspended { resolve(lease.key, lease.spent) }
        if let violation = checkCounts() { world.fail(violation.rule, violation.detail) }
        for (_, window) in world.store.windows where window.suspense != 0 || window.held != 0 {
            world.fail("resolve", "\(window.key.text) has \(window.suspense) in suspense")
        }
    }

    private func resolve(_ lease: LeaseKey, _ evidence: Spent) {
        _ = world.store.apply(.resolve(lease, evidence: evidence), for: world.store.incarnation)
    }

    private func chargedTokens(_ run: String) -> Int64 {
        (world.ledger.rows + world.store.outbox).reduce(0) { $1.kind.isCharge && $1.attribution.run == run ? $0 + $1.usage.total : $0 }
    }
}

extension Profile {
    /// Nothing fails and no clock lies.
    var isCalm: Bool {
        lostRequests + lostReplies + doubled + late + crashes + pauses + clockJumps + storeClockJumps + storeOutages == 0
            && ledgerOutages + directoryOutages + capChanges + budgetChanges + liars + storeLosses == 0
    }
}
