import Accounting

/// Nodes and masters: commands leave, queue up, are decided, and are answered or given up.
extension World {
    // MARK: There

    func send(_ command: CounterCommand, place: Int, after pause: Int64 = 0, isRepeat: Bool = false) {
        depart(
            Flight(command: command, place: Int32(place), set: Int32(set(of: place)), sent: now + pause, isRepeat: isRepeat))
    }

    func depart(_ flight: Flight) {
        let index = keep(flight)
        queue.push(.arrive, at: flight.sent + way(), subject: index)
    }

    func keep(_ flight: Flight) -> Int {
        let index = freeFlights.popLast() ?? flights.count
        if index == flights.count { flights.append(flight) } else { flights[index] = flight }
        return index
    }

    func way() -> Int64 { settings.costs.oneWay + chance.exponential(mean: settings.costs.jitter) }

    func arrive(_ index: Int) {
        let set = Int(flights[index].set)
        let master = population.masterOfSet[set]
        let cost = settings.costs.of(flights[index].command)
        let (start, end) = masters[master].serve(cost, at: now)
        if figures.isCounting {
            if flights[index].isRepeat { masters[master].repeats += 1 } else { masters[master].scripts += 1 }
            masters[master].busy += cost
            figures.waited(start - now)
        }
        let reply = decide(defective(flights[index].command), set: set, at: start)
        if flights[index].place >= 0 { checkReleased(Int(flights[index].place), set, reply) }
        let back = end + way()
        if back > flights[index].sent + Self.deadline, flights[index].widening < 0 {
            queue.push(.timeout, at: flights[index].sent + Self.deadline, subject: index)
        } else {
            flights[index].reply = reply
            queue.push(.reply, at: back, subject: index)
        }
    }

    /// What the counters may grant is at no moment more than what the root has on its books for them. The windows that several slots share
    /// come first in a path: organisation and project.
    private func checkReleased(_ place: Int, _ set: Int, _ reply: CounterReply) {
        let org = population.orgs[population.users[Int(places[place].user)].org]
        for (window, number) in zip(reply.shown.prefix(4), path(of: place)) {
            let booked = budgets.released(number, slot: budgets.slot(of: number, set: set, in: org))
            if window.released > booked { fail("I1: \(window.key.text) has \(window.released) released, and \(booked) by the root") }
        }
    }

    // MARK: And back

    func replied(_ index: Int) {
        let flight = flights[index]
        flights[index].reply = nil
        freeFlights.append(index)
        guard let reply = flight.reply else { return }
        if flight.widening >= 0 { return rootCommandDone(flight, reply) }
        let place = Int(flight.place)
        if case .denied(let window, _, _) = reply, window.isHeldBack, !flight.isJudged { return widen(window, for: flight, reply) }
        if case .granted(_, let windows, _) = reply { foresee(windows, place: place) }
        answered(place, flight, reply)
    }

    func answered(_ place: Int, _ flight: Flight, _ reply: CounterReply) {
        switch flight.command {
        case .open(let open):
            if case .denied = reply {
                places[place].phase = .away
                if figures.isCounting { figures.refused += 1 }
            } else if places[place].phase == .opening {
                opened(place, open, reply, sent: flight.sent)
                if violation == nil { schedule(place) }
            }
        case .step:
            places[place].machine?.receive(reply, sent: Milliseconds(flight.sent / 1_000))
            goOn(place)
        case .settle(let settle):
            // Of an opening that was given up: frees what it holds, if it was decided after all.
            guard places[place].machine?.lease == settle.lease else { return }
            settled(place, by: reply)
        case .asked: break
        default: fail("an answer to \(flight.command.name)")
        }
    }

    /// The driver of `StreamLease`: whoever waits is told first, then the next question is asked.
    private func goOn(_ place: Int) {
        if places[place].phase == .waiting { complete(place) }
        drive(place)
        if places[place].phase == .live { schedule(place) }
    }

    private func complete(_ place: Int) {
        guard let outcome = places[place].machine?.completePending(now: monotonic) else { return }
        switch outcome {
        case .paid:
            places[place].phase = .live
            paid(place, places[place].pending)
            // The upstream was not read meanwhile: everything that follows is later by the wait.
            places[place].origin = now - Int64(places[place].taken) * Int64(places[place].pace)
        case .cut(let cause): cut(place, cause)
        case .awaitGrant: break
        }
    }

    func drive(_ place: Int) {
        guard let request = places[place].machine?.nextRequest(now: monotonic) else {
            // The driver has come to rest; whoever ended the run has waited for that.
            if places[place].phase == .ending, places[place].machine?.beginSettle() ?? false { settle(place) }
            return
        }
        guard case .step(let step, let pause) = request else { return fail("a window ended") }
        // Only what was not answered is asked again after a pause.
        send(.step(step), place: place, after: pause.rawValue * 1_000, isRepeat: pause.rawValue > 0)
    }

    // MARK: Silence

    /// The reply comes after the deadline, when nobody listens any more.
    func timedOut(_ index: Int) {
        let flight = flights[index]
        freeFlights.append(index)
        let place = Int(flight.place)
        figures.timedOut()
        switch flight.command {
        case .step:
            places[place].machine?.storeFailed()
            goOn(place)
        case .open(let open):
            places[place].failures += 1
            if places[place].failures % 2 == 1 { return send(flight.command, place: place, isRepeat: true) }
            // Refused with 503: what may have been opened is settled, and the client comes again after a second.
            if figures.isCounting { figures.unavailable += 1 }
            abandon(open, place: place)
            places[place].phase = .away
            queue.push(.open, at: now + 1_000_000 + chance.below(1_000_000), subject: place)
        case .settle(let settle):
            if places[place].machine?.lease == settle.lease { places[place].failures += 1 }
            let pause = AccountingLimits.retryPause.rawValue << Int64(min(places[place].failures, 5))
            send(flight.command, place: place, after: pause * 1_000, isRepeat: true)
        case .asked: break
        default: fail("no answer to \(flight.command.name)")
        }
    }

    private func abandon(_ open: OpenLease, place: Int) {
        send(.settle(SettleLease(lease: open.lease, holder: open.holder, sequence: 1, spent: .zero)), place: place)
    }
}

extension ScaleCosts {
    func of(_ command: CounterCommand) -> Int64 {
        switch command {
        case .open: open
        case .step: step
        case .settle: settle
        default: window
        }
    }
}

extension Flight {
    /// The least that would do, of one unit.
    func need(of unit: MeterUnit) -> Int64 {
        switch command {
        case .open(let open): (open.offers.last?.amounts ?? .zero)[unit] + open.fixed[unit]
        case .step(let step): step.offers.last?.amounts[unit] ?? 0
        default: 0
        }
    }
}
