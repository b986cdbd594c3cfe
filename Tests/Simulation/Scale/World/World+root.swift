import Accounting

/// Releases of the durable root: asked ahead of need, and when a window's counters have nothing left.
extension World {
    // MARK: A node asks

    /// As `Accountant.foresee`.
    func foresee(_ windows: [WindowSnapshot], place: Int) {
        for (position, window) in windows.enumerated() where window.released < window.cap {
            let number = path(of: place)[position]
            if window.released - window.taken < tranche(number) / 2, wall >= window.dryUntil {
                ask(window, number, place: place, need: 0, waiting: nil)
            }
        }
    }

    /// As `Accountant.judge`: what was refused waits for the root.
    func widen(_ window: WindowSnapshot, for flight: Flight, _ reply: CounterReply) {
        let place = Int(flight.place)
        if window.shutUntil > wall { return answered(place, flight, reply.final) }
        guard let number = path(of: place).first(where: { names.key($0) == window.key }) else { return fail("a foreign window") }
        ask(
            window, number, place: place, need: flight.need(of: window.key.unit), waiting: Widening.Waiting(flight: flight, reply: reply))
    }

    /// The slots of a split org share what one set of counters would get.
    private func tranche(_ window: Int) -> Int64 {
        max(1, Tranche.size(cap: budgets.caps[window], unit: Budgets.units[window % 2]) / Int64(budgets.slots[window]))
    }

    private func ask(_ window: WindowSnapshot, _ number: Int, place: Int, need: Int64, waiting: Widening.Waiting?) {
        let set = set(of: place)
        let name = WideningName(node: Int32(node(of: place)), window: Int32(number), set: Int32(set))
        if let index = widening[name] {
            if let waiting { widenings[index].waiting.append(waiting) }
            return
        }
        let org = population.orgs[population.users[Int(places[place].user)].org]
        let question = Widening(
            name: name, slot: budgets.slot(of: number, set: set, in: org), firstSet: org.sets.lowerBound, slots: Int(budgets.slots[number]),
            need: need, cap: window.cap, tranche: tranche(number), taken: window.taken, released: window.released,
            turn: window.turn, waiting: waiting.map { [$0] } ?? [])
        let index = freeWidenings.popLast() ?? widenings.count
        if index == widenings.count { widenings.append(question) } else { widenings[index] = question }
        widening[name] = index
        guard budgets.slots[number] > 1 else { return obtain(index) }
        widenings[index].phase = .turn
        let span = AccountingLimits.askSpan
        sendForRoot(.ask(org: "-", window: names.key(number), for: span), set: set, index)
    }

    /// As `Accountant.obtain`: from the root, or else from other slots.
    private func obtain(_ index: Int) {
        widenings[index].phase = .release
        if widenings[index].target > widenings[index].released { askRoot(index) } else { gather(index) }
    }

    // MARK: The root

    func askRoot(_ index: Int) { queue.push(.rootArrive, at: now + way(), subject: index) }

    func rootDecides(_ index: Int) {
        figures.asked()
        let question = widenings[index]
        let window = Int(question.name.window)
        switch question.phase {
        case .release, .lastRelease:
            let has = budgets.released(window, slot: question.slot)
            let raised = max(has, min(question.target, has + budgets.unreleased(window)))
            if raised > has { budgets.setReleased(window, slot: question.slot, to: raised) }
            widenings[index].answer = RootAnswer(released: raised, turn: budgets.turn(window, slot: question.slot))
        case .shares: widenings[index].shares = (0..<question.slots).map { budgets.released(window, slot: $0) }
        case .beginRecall:
            if let donor = question.donors.first { widenings[index].answer.turn = budgets.nextTurn(window, slot: donor) }
        case .endRecall:
            if let donor = question.donors.first, budgets.turn(window, slot: donor) == question.answer.turn {
                budgets.lowerReleased(window, slot: donor, to: question.answer.released)
            }
        case .turn, .applying, .looking, .recalling, .lastApplying: fail("the root is asked while a master is")
        }
        if budgets.unreleased(window) < 0 { fail("I1: more is released of \(names.key(window).text) than its cap") }
        queue.push(.rootReply, at: rootServer.serve(settings.costs, at: now) + way(), subject: index)
    }

    func rootReplied(_ index: Int) {
        switch widenings[index].phase {
        case .release: apply(index, .applying)
        case .lastRelease: apply(index, .lastApplying)
        case .shares:
            widenings[index].phase = .looking
            look(index)
        case .beginRecall: recall(index)
        case .endRecall: recalled(index)
        case .turn, .applying, .looking, .recalling, .lastApplying: break
        }
    }

    private func apply(_ index: Int, _ phase: Widening.Phase) {
        widenings[index].phase = phase
        let question = widenings[index]
        let key = names.key(Int(question.name.window))
        sendForRoot(
            .release(org: "-", window: key, released: question.answer.released, turn: question.answer.turn), set: Int(question.name.set),
            index)
    }

    func sendForRoot(_ command: CounterCommand, set: Int, _ index: Int) {
        depart(Flight(command: command, place: -1, set: Int32(set), sent: now, widening: Int32(index)))
    }

    /// A command of a widening has been carried out by a set of counters.
    func rootCommandDone(_ flight: Flight, _ reply: CounterReply) {
        let index = Int(flight.widening)
        let question = widenings[index]
        switch question.phase {
        case .turn:
            if case .done = reply {
                widenings[index].hasTurn = true
                return obtain(index)
            }
            let isShut = reply.shown.contains { $0.shutUntil > wall }
            end(index, isShut ? .exhausted : .notYet)
        case .applying:
            if question.answer.turn > question.turn, question.answer.released > question.released { return end(index, .more) }
            // What comes ahead of need is not taken from others.
            if question.need > 0 { gather(index) } else { end(index, .notYet) }
        case .lastApplying: end(index, question.answer.released >= question.taken + question.need ? .more : .notYet)
        case .looking: looked(index, reply, set: Int(flight.set))
        case .recalling:
            guard let window = reply.shown.first else { return fail("nothing recalled") }
            widenings[index].answer.released = settings.keepsRecalled ? window.taken : window.released
            widenings[index].phase = .endRecall
            askRoot(index)
        case .release, .shares, .beginRecall, .endRecall, .lastRelease: fail("a master answers for the root")
        }
    }

    func end(_ index: Int, _ outcome: Widening.Outcome) {
        let question = widenings[index]
        widenings[index].waiting = []
        freeWidenings.append(index)
        widening[question.name] = nil
        if question.hasTurn {
            let isDry = outcome == .exhausted || outcome == .notYet && question.need == 0
            let asked = CounterCommand.asked(
                org: "-", window: names.key(Int(question.name.window)), dryFor: isDry ? AccountingLimits.drySpan : nil,
                shutFor: outcome == .exhausted ? AccountingLimits.shutSpan : nil)
            depart(Flight(command: asked, place: -1, set: question.name.set, sent: now))
        }
        for waiting in question.waiting {
            switch outcome {
            case .more: judged(waiting.flight, waiting.reply, after: 0)
            case .notYet: judged(waiting.flight, waiting.reply, after: AccountingLimits.rootPause.rawValue * 1_000)
            case .exhausted: answered(Int(waiting.flight.place), waiting.flight, waiting.reply.final)
            }
        }
    }

    /// An opening is asked again; a stream is told that it was refused, not by its budget, and asks again as its lease wants.
    private func judged(_ flight: Flight, _ reply: CounterReply, after pause: Int64) {
        let place = Int(flight.place)
        if case .open = flight.command {
            places[place].failures += 1
            if places[place].failures > Int32(AccountingLimits.rootRounds) { return answered(place, flight, reply) }
            return send(flight.command, place: place, after: pause)
        }
        guard pause > 0 else { return answered(place, flight, reply) }
        var late = flight
        late.reply = reply
        late.isJudged = true
        let index = keep(late)
        queue.push(.reply, at: now + pause, subject: index)
    }
}

extension CounterReply {
    /// The refusal as one about the budget: nothing of it is left anywhere.
    fileprivate var final: CounterReply {
        guard case .denied(let by, let windows, let now) = self else { return self }
        let all = WindowSnapshot(
            key: by.key, cap: by.cap, used: by.used, held: by.held, suspense: by.suspense, end: by.end, released: by.cap,
            unaccounted: by.unaccounted)
        return .denied(by: all, windows: windows, now: now)
    }
}
