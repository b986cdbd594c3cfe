import Accounting

/// Clients and upstreams: runs begin, tokens come, runs end.
extension World {
    private static let pricing = ModelPricing(
        ModelPrice(inputFresh: PicoUSD(Traffic.inputPrice), outputVisible: PicoUSD(Traffic.outputPrice)))

    /// Loads every window and opens a run for every place, without the network: the world begins in the middle of a day.
    func bringIn() {
        var loads: Set<Int64> = []
        for user in population.users.indices {
            let found = population.users[user]
            for window in budgets.path(of: user, population) where loads.insert(Int64(window) << 20 | Int64(found.set)).inserted {
                let slot = budgets.slot(of: window, set: found.set, in: population.orgs[found.org])
                let load = CounterCommand.load(
                    org: names.org(of: user), window: names.ref(window), used: budgets.loaded(window, slot: slot),
                    released: budgets.released(window, slot: slot), turn: budgets.turn(window, slot: slot))
                guard case .done = decide(load, set: found.set, at: now) else { return fail("a window was not loaded") }
            }
        }
        for place in places.indices {
            begin(place, isUnderWay: true)
            let open = opening(place)
            let reply = decide(.open(open), set: set(of: place), at: now)
            guard case .granted = reply else {
                places[place].phase = .away
                figures.refusedAtStart += 1
                continue
            }
            opened(place, open, reply, sent: now)
            places[place].origin = now + chance.below(2_000_000)
            schedule(place)
        }
    }

    func set(of place: Int) -> Int { population.users[Int(places[place].user)].set }

    func node(of place: Int) -> Int { place % settings.nodes }

    func path(of place: Int) -> WindowPath { budgets.path(of: Int(places[place].user), population) }

    // MARK: The beginning

    /// A new run's wishes. One that is met under way has the rest of a longer one before it.
    private func begin(_ place: Int, isUnderWay: Bool) {
        let pace = chance.pace(isUnderWay: isUnderWay)
        let output = chance.logNormal(Traffic.output, bias: isUnderWay ? 1 : 0)
        let rest = isUnderWay ? max(1, Int64(Double(output) * chance.unit())) : output
        places[place].pace = Int32(pace)
        places[place].length = Int32(rest)
        places[place].taken = 0
        places[place].prompt = Int32(chance.logNormal(Traffic.prompt))
        places[place].failures = 0
        places[place].isCut = false
        places[place].phase = .opening
    }

    func open(_ place: Int) {
        if places[place].phase != .opening { begin(place, isUnderWay: false) }
        send(.open(opening(place)), place: place)
    }

    /// As `Accountant.openLease` asks.
    private func opening(_ place: Int) -> OpenLease {
        let user = Int(places[place].user)
        lastRun += 1
        let run = self.run(place)
        let offers = SliceLadder.offers(
            largest: AccountingLimits.firstSliceTokens, smallest: 1, run: run, balance: 0, authorised: run.fixed.nanoUSD)
        return OpenLease(
            lease: LeaseKey(org: names.org(of: user), id: "r\(lastRun)"), holder: names.holder(node(of: place)),
            attribution: names.attribution(of: user, run: lastRun), path: names.refs(of: user), fixed: run.fixed, offers: offers)
    }

    private func run(_ place: Int) -> RunCost {
        RunCost(
            pricing: Self.pricing, prompt: .atMost(Int64(places[place].prompt) * Traffic.bytesPerToken + Traffic.promptOverhead))
    }

    func opened(_ place: Int, _ open: OpenLease, _ reply: CounterReply, sent: Int64) {
        guard case .granted(let index, let windows, let storeNow) = reply else { return fail("not opened: \(reply)") }
        let asked = Milliseconds(sent / 1_000)
        let granted = open.fixed + open.offers[index].amounts
        let grant = LeaseMachine.Grant(
            lease: open.lease, tokens: open.offers[index].tokens, asked: open.offers[0].tokens,
            authorised: granted.nanoUSD, windows: windows,
            claim: LeaseClaim(lease: open.lease, attribution: open.attribution, path: open.path, granted: granted),
            deadline: LeaseMachine.deadline(windows: windows, ttl: open.ttl, storeNow: storeNow, sent: asked))
        places[place].machine = LeaseMachine(
            holder: open.holder, ttl: open.ttl, run: run(place), outputMax: nil, sliceSeconds: Int64(settings.sliceSeconds), grant: grant,
            now: monotonic)
        places[place].phase = .live
        places[place].origin = now + Traffic.firstToken
        // The prompt is with the upstream from now on, whatever becomes of the run.
        delivered(place, prompt: Int64(places[place].prompt), output: 0)
    }

    // MARK: Tokens

    /// The next moment at which anything can happen: half of the slice is gone, or all of it. What comes before it is paid from the
    /// balance, which nobody else can see, so it is paid at once.
    func schedule(_ place: Int) {
        guard let machine = places[place].machine else { return }
        let rest = Int64(places[place].length - places[place].taken)
        let free = machine.balance > machine.lowWater ? machine.balance - machine.lowWater : machine.balance
        let tokens = min(max(1, free), rest)
        guard tokens > 0 else { return finish(place) }
        places[place].generation &+= 1
        queue.push(
            .take, at: max(now, places[place].time(of: places[place].taken + Int32(tokens))), subject: place,
            generation: places[place].generation, count: Int(tokens))
    }

    func take(_ place: Int, tokens: Int64, generation: UInt32) {
        guard places[place].generation == generation, places[place].phase == .live else { return }
        guard let (outcome, start) = places[place].machine?.take(tokens, reasoning: false, now: monotonic) else { return }
        switch outcome {
        case .paid:
            paid(place, Int32(tokens))
            if start { drive(place) }
            if places[place].phase == .live { schedule(place) }
        case .awaitGrant:
            places[place].pending = Int32(tokens)
            places[place].exhaustedAt = now
            places[place].phase = .waiting
            if start { drive(place) }
        case .cut(let cause):
            places[place].exhaustedAt = now
            cut(place, cause)
        }
    }

    func paid(_ place: Int, _ tokens: Int32) {
        places[place].taken += tokens
        delivered(place, prompt: 0, output: Int64(tokens))
    }

    private func delivered(_ place: Int, prompt: Int64, output: Int64) {
        if let window = witness.count(path(of: place), prompt: prompt, output: output) {
            fail("\(names.key(window).text): more was delivered than its cap")
        }
        if figures.isCounting { figures.delivered += output }
    }

    // MARK: The end

    func cut(_ place: Int, _ cause: CutCause) {
        places[place].isCut = true
        if let key = cause.window?.key, let window = path(of: place).first(where: { names.key($0) == key }) {
            figures.cut(
                window, cap: budgets.caps[window], after: now - places[place].exhaustedAt, left: witness.left(window), at: now)
        } else {
            figures.failed()
        }
        finish(place)
    }

    private func finish(_ place: Int) {
        places[place].phase = .ending
        if places[place].machine?.beginSettle() ?? true { settle(place) }
    }

    func settle(_ place: Int) {
        let usage = UsageClasses(inputFresh: Int64(places[place].prompt), outputVisible: Int64(places[place].taken))
        let final: FinalUsage = places[place].isCut ? .counted(inputTokens: usage.inputFresh) : .exact(usage)
        guard let command = places[place].machine?.settlement(final).settlement.command else { return fail("nothing to settle") }
        places[place].failures = 0
        send(.settle(command), place: place)
    }

    /// A client whose run was cut or refused by a cap stays away: the cap is a day's. Any other asks again at once.
    func settled(_ place: Int, by reply: CounterReply) {
        guard case .settled(let overrun, _, _) = reply, overrun == .zero else { return fail("settled: \(reply)") }
        let comesAgain = !places[place].isCut || places[place].machine?.cut?.window == nil
        places[place].machine = nil
        places[place].phase = .away
        if comesAgain { queue.push(.open, at: now, subject: place) }
    }
}
